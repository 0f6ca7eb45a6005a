"""Latency, real-time factor and memory of one network on this machine."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from ctcasr.card.subject import Subject
from ctcasr.seq import Seq

WARM_UP = 3
_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


@torch.no_grad()
def latency(
    subject: Subject, clip: tuple[Seq, ...], runs: int = 20, longest_s: float = 20.0
) -> dict[str, Any]:
    """Seconds for one clip after a warm-up: median and 95th percentile of the whole, median of its parts; the real-time factor.

    At most `longest_s` are spent; the number of runs is told.
    """
    stages = subject.stages(clip)
    device = clip[0].device
    totals: list[float] = []
    parts: dict[str, list[float]] = {name: [] for name, _ in stages}
    begun = time.perf_counter()
    for turn in range(-WARM_UP, runs):
        value, start = None, time.perf_counter()
        for name, stage in stages:
            before = time.perf_counter()
            value = stage(value)
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            if turn >= 0:
                parts[name].append(time.perf_counter() - before)
        if turn >= 0:
            totals.append(time.perf_counter() - start)
        if totals and time.perf_counter() - begun > longest_s:
            break
    seconds = float(clip[0].lengths[0] / clip[0].rate)
    median = _percentile(totals, 0.5)
    return {
        "runs": len(totals),
        "warm_up_runs": WARM_UP,
        "clip_s": seconds,
        "p50_s": median,
        "p95_s": _percentile(totals, 0.95),
        "parts_p50_s": {name: _percentile(values, 0.5) for name, values in parts.items()},
        "real_time_factor": median / seconds,
        "threads": torch.get_num_threads(),
        "device": str(device),
    }


def memory(subject: Subject, clip: tuple[Seq, ...], batch: int = 1) -> dict[str, Any]:
    """Bytes of the process with the network loaded, at the peak of one clip, and at the peak of a training step on `batch` of them.

    `None` where the system does not tell. The network keeps neither gradients nor new statistics.
    """
    device = clip[0].device
    model, kept = (
        subject.model,
        {name: tensor.clone() for name, tensor in subject.model.state_dict().items()},
    )
    figures: dict[str, Any] = {"loaded_bytes": _resident("VmRSS")}

    def infer() -> None:
        with torch.no_grad():
            value = None
            for _, stage in subject.stages(clip):
                value = stage(value)

    def step() -> None:
        model.train()
        rows = tuple(Seq.stack([one.row(0)] * batch, one.rate) for one in clip)
        out = model(*rows)
        out = out[0] if isinstance(out, tuple) else out
        (out.data if isinstance(out, Seq) else out).square().mean().backward()

    for name, run in (("inference", infer), ("training", step)):
        host, gpu = _peak(run, device)
        figures[f"{name}_peak_bytes"], figures[f"{name}_gpu_peak_bytes"] = host, gpu
    figures["training_batch"] = batch
    for parameter in model.parameters():
        parameter.grad = None
    model.load_state_dict(kept)
    model.eval()
    return figures


def _peak(run: Callable[[], None], device: torch.device) -> tuple[int | None, int | None]:
    clear = False
    if sys.platform == "linux" and _CLEAR.exists():
        try:
            _CLEAR.write_text("5")  # sets the high-water mark back to what is held now
            clear = True
        except OSError:
            pass
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    run()
    gpu = int(torch.cuda.max_memory_allocated(device)) if device.type == "cuda" else None
    return _resident("VmHWM") if clear else None, gpu


def _resident(field: str) -> int | None:
    if not _STATUS.exists():
        return None
    found = re.search(rf"^{field}:\s+(\d+) kB", _STATUS.read_text(), re.MULTILINE)
    return 1024 * int(found[1]) if found else None


def _percentile(values: list[float], share: float) -> float:
    """Linear between the two nearest."""
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    low = int(place)
    return ordered[low] + (place - low) * (ordered[min(low + 1, len(ordered) - 1)] - ordered[low])
