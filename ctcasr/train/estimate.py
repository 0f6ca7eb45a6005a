"""Before the first step: how long will this take, and how much memory?"""

from __future__ import annotations

import copy
import itertools
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from ctcasr.batch import Batch
from ctcasr.task import Batches, Stateful, Task
from ctcasr.train.bf16 import Bf16Steps, Steps
from ctcasr.train.memory import out_of_memory
from ctcasr.train.state import rng_state, set_rng_state
from ctcasr.train.synced_step import shortest_row

TRIAL_BATCHES = 3  # from the middle of an epoch; the first pays for warming up


@dataclass(frozen=True, eq=False)
class Pace:
    """What a few trial steps foretell."""

    step_s_per_audio_s: float = 0.0  # seconds of training per second of padded audio; 0: unknown
    memory_bytes: int | None = None  # peak of the process (or of the device) while trying
    batch_audio_s: float = 0.0  # padded seconds in the first trial batch
    shortest: Batch | None = None  # the shortest utterance that was read

    @property
    def step_s(self) -> float | None:
        """Seconds of a step on a batch like the first trial batch; None where no step was made."""
        return self.step_s_per_audio_s * self.batch_audio_s or None


def measure_pace(task: Task, train: Batches, device: torch.device, bf16: bool = False) -> Pace:
    """Time a few steps on batches from the middle of an epoch, and undo every trace of them."""
    middle = len(train) // 2
    around = itertools.islice(train.epoch(0, max(0, middle - 1)), TRIAL_BATCHES)
    batches = [batch for batch in around if batch is not None]
    return time_steps(task, batches, device, bf16)


def time_steps(
    task: Task, batches: Sequence[Batch], device: torch.device, bf16: bool = False
) -> Pace:
    """Time forward and backward passes over `batches` and undo every trace of them."""
    if not batches:
        return Pace()
    network = task.network.to(device)
    weights = copy.deepcopy(network.state_dict())
    collected = copy.deepcopy(task.state_dict()) if isinstance(task, Stateful) else None
    generators = rng_state()
    network.train()
    steps: Steps = Bf16Steps(task) if bf16 else task
    paces = []
    for batch in batches:
        seconds = _time_step(steps, batch, device)
        if seconds is not None:
            paces.append(seconds / padded_seconds(batch))
    for parameter in network.parameters():
        parameter.grad = None
    network.load_state_dict(weights)
    if isinstance(task, Stateful) and collected is not None:
        task.load_state_dict(collected)
    set_rng_state(generators)
    first = batches[0]
    # The first batch pays for warming up: caches, threads, compiled kernels.
    warm = paces[1:] or paces
    return Pace(
        step_s_per_audio_s=min(warm, default=0.0),
        memory_bytes=memory_bytes(device) if paces else None,
        batch_audio_s=padded_seconds(first),
        shortest=shortest_row(first),
    )


def _time_step(steps: Steps, batch: Batch, device: torch.device) -> float | None:
    """Seconds of a forward and a backward pass; None where the batch cannot be used."""
    start = time.perf_counter()
    try:
        loss = steps.step(batch.to(device), 0)
        usable = loss.weight > 0 and loss.sum.requires_grad and bool(torch.isfinite(loss.sum))
        if not usable:
            return None
        loss.sum.backward()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
    except (RuntimeError, MemoryError) as error:
        if not out_of_memory(error):
            raise
        return None  # training will halve the batch
    return time.perf_counter() - start


def padded_seconds(batch: Batch) -> float:
    """Seconds of sound in a batch, padding included."""
    rows, elements = batch.audio.data.shape[:2]
    return rows * elements / float(batch.audio.rate)


def memory_bytes(device: torch.device) -> int | None:
    """Peak memory of the device, or of this process on a CPU; None where the system is silent."""
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak if sys.platform == "darwin" else peak * 1024)  # Linux counts in KiB
