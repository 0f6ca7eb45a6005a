"""Before the first step: how long will this take, and how much memory?"""

from __future__ import annotations

import copy
import sys
import time
from dataclasses import dataclass

import torch

from ctcasr.batch import Batch
from ctcasr.task import Task
from ctcasr.train.bf16 import Bf16Steps
from ctcasr.train.memory import out_of_memory
from ctcasr.train.state import rng_state, set_rng_state


@dataclass(frozen=True)
class Estimate:
    """What a few trial steps foretell."""

    step_s_per_audio_s: float  # seconds of training per (padded) second of audio
    memory_bytes: (
        int | None
    )  # peak of the process (or of the device) behind the largest trial batch


def estimate(
    task: Task, batches: list[Batch], device: torch.device, bf16: bool = False
) -> Estimate | None:
    """Time forward and backward passes over `batches` and undo every trace of them; None where none of them can be used."""
    network = task.network.to(device)
    kept, random = copy.deepcopy(network.state_dict()), rng_state()
    network.train()
    steps, pace = Bf16Steps(task) if bf16 else task, []
    for batch in batches:
        start = time.perf_counter()
        try:
            loss = steps.step(batch.to(device), 0)
            if loss.weight > 0 and loss.sum.requires_grad and bool(torch.isfinite(loss.sum)):
                loss.sum.backward()
                if device.type == "cuda":
                    torch.cuda.synchronize(device)
                pace.append(
                    (time.perf_counter() - start)
                    / float(batch.audio.data.numel() / batch.audio.rate)
                )
        except (RuntimeError, MemoryError) as error:
            if not out_of_memory(error):
                raise  # training will halve the batch
    for parameter in network.parameters():
        parameter.grad = None
    network.load_state_dict(kept)
    set_rng_state(random)
    # The first batch pays for warming up: caches, threads, compiled kernels.
    return Estimate(min(pace[1:] or pace), memory_bytes(device)) if pace else None


def step_seconds(task: Task, batch: Batch | None, device: torch.device) -> float:
    """Seconds that one training step on a batch like this takes; leaves no trace. 1.0 where it cannot be used."""
    guess = None if batch is None else estimate(task, [batch, batch], device)
    return (
        guess.step_s_per_audio_s * batch.audio.data.numel() / float(batch.audio.rate)
        if guess and batch
        else 1.0
    )


def memory_bytes(device: torch.device) -> int | None:
    """Peak memory of the device, or of this process on a CPU; None where the system does not tell."""
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak if sys.platform == "darwin" else peak * 1024)
