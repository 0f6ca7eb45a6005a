"""Latency, real-time factor and memory of one network on this machine."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from ctcasr.card.subject import Stage, Subject
from ctcasr.seq import Seq

WARM_UP_RUNS = 3
LONGEST_S = 20.0  # that are spent on timing
STATUS = Path("/proc/self/status")
CLEAR = Path("/proc/self/clear_refs")
CLEAR_HIGH_WATER = "5"  # written into CLEAR: the high-water mark is what is held now
KIB = 1024  # the unit of STATUS


@dataclass(frozen=True)
class Latency:
    """Seconds of computing for one clip, after a warm-up."""

    runs: int
    warm_up_runs: int
    clip_s: float
    p50_s: float
    p95_s: float
    parts_p50_s: dict[str, float]  # median of each stage
    real_time_factor: float
    threads: int
    device: str

    def as_json(self) -> dict[str, Any]:
        """The fields by their names."""
        return asdict(self)


@dataclass
class _Times:
    """Seconds of each run, and of each stage in it."""

    totals: list[float] = field(default_factory=list)
    parts: dict[str, list[float]] = field(default_factory=dict)

    def run(self, stages: list[Stage], device: torch.device, noted: bool) -> None:
        """All stages once, one after the other."""
        value = None
        started = time.perf_counter()
        for name, stage in stages:
            before = time.perf_counter()
            value = stage(value)
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            if noted:
                self.parts.setdefault(name, []).append(time.perf_counter() - before)
        if noted:
            self.totals.append(time.perf_counter() - started)


@torch.no_grad()
def latency(
    subject: Subject, clip: tuple[Seq, ...], runs: int = 20, longest_s: float = LONGEST_S
) -> Latency:
    """The time that one clip takes; at most `longest_s` are spent, and the runs are counted."""
    stages = subject.stages(clip)
    device = clip[0].device
    times = _Times()
    begun = time.perf_counter()
    for run in range(WARM_UP_RUNS + runs):
        times.run(stages, device, noted=run >= WARM_UP_RUNS)
        if times.totals and time.perf_counter() - begun > longest_s:
            break
    clip_s = float(clip[0].lengths[0] / clip[0].rate)
    p50_s = float(np.percentile(times.totals, 50))
    parts = {name: float(np.percentile(part, 50)) for name, part in times.parts.items()}
    return Latency(
        runs=len(times.totals),
        warm_up_runs=WARM_UP_RUNS,
        clip_s=clip_s,
        p50_s=p50_s,
        p95_s=float(np.percentile(times.totals, 95)),
        parts_p50_s=parts,
        real_time_factor=p50_s / clip_s,
        threads=torch.get_num_threads(),
        device=str(device),
    )


@dataclass(frozen=True)
class Memory:
    """Bytes of the process; None where the system does not tell.

    With the network loaded, at the peak of one clip, and at the peak of a training step on
    `training_batch` of them.
    """

    loaded_bytes: int | None
    inference_peak_bytes: int | None
    inference_gpu_peak_bytes: int | None
    training_peak_bytes: int | None
    training_gpu_peak_bytes: int | None
    training_batch: int

    def as_json(self) -> dict[str, int | None]:
        """The fields by their names."""
        return asdict(self)


class _Peak(NamedTuple):
    host_bytes: int | None
    gpu_bytes: int | None


def memory(subject: Subject, clip: tuple[Seq, ...], batch: int = 1) -> Memory:
    """What the network takes; it keeps neither gradients nor new statistics."""
    device = clip[0].device
    model = subject.model
    state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    loaded = _resident("VmRSS")

    def recognise() -> None:
        with torch.no_grad():
            value = None
            for _, stage in subject.stages(clip):
                value = stage(value)

    def train_step() -> None:
        model.train()
        rows = [Seq.stack([part.row(0)] * batch, part.rate) for part in clip]
        output = model(*rows)
        if isinstance(output, tuple):
            output = output[0]
        if isinstance(output, Seq):
            output = output.data
        output.square().mean().backward()

    inference = _peak(recognise, device)
    training = _peak(train_step, device)
    for parameter in model.parameters():
        parameter.grad = None
    model.load_state_dict(state)
    model.eval()
    return Memory(
        loaded_bytes=loaded,
        inference_peak_bytes=inference.host_bytes,
        inference_gpu_peak_bytes=inference.gpu_bytes,
        training_peak_bytes=training.host_bytes,
        training_gpu_peak_bytes=training.gpu_bytes,
        training_batch=batch,
    )


def _peak(run: Callable[[], None], device: torch.device) -> _Peak:
    """The most that is held while something runs."""
    cleared = _clear_high_water()
    on_gpu = device.type == "cuda"
    if on_gpu:
        torch.cuda.reset_peak_memory_stats(device)
    run()
    gpu_bytes = int(torch.cuda.max_memory_allocated(device)) if on_gpu else None
    return _Peak(_resident("VmHWM") if cleared else None, gpu_bytes)


def _clear_high_water() -> bool:
    """Whether the system lets the high-water mark be set back."""
    if sys.platform != "linux" or not CLEAR.exists():
        return False
    try:
        CLEAR.write_text(CLEAR_HIGH_WATER)
    except OSError:
        return False
    return True


def _resident(name: str) -> int | None:
    """Bytes in a line of STATUS."""
    if not STATUS.exists():
        return None
    match = re.search(rf"^{name}:\s+(\d+) kB", STATUS.read_text(), re.MULTILINE)
    return KIB * int(match[1]) if match else None
