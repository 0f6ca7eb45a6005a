"""Products in bfloat16: a task whose steps round what they multiply."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

import torch

from ctcasr.batch import Batch
from ctcasr.task import Loss, Task


class Steps(Protocol):
    """As much of a task as one optimiser step needs."""

    def step(self, batch: Batch, step: int) -> Loss:
        """Forward pass and objective in training, for optimiser step number `step`."""
        ...


class Bf16Steps:
    """The steps of `task` with products in bfloat16.

    Features, normalisation and CTC stay in float32, and checks are not touched. On a device by
    autocast: the backward pass takes the types that the forward pass took. On a CPU tensors stay in
    float32, and the RNN layers' products are rounded where they are made: autocast would slow these
    layers down, and convolutions gain nothing there.
    """

    def __init__(self, task: Task) -> None:
        self.task = task

    def step(self, batch: Batch, step: int) -> Loss:
        """The task's step."""
        device = batch.audio.device.type
        rounding = _rounded() if device == "cpu" else torch.autocast(device, torch.bfloat16)
        with rounding:
            return self.task.step(batch, step)


@contextmanager
def _rounded() -> Iterator[None]:
    """Within, float32 products on a CPU have bfloat16 factors, if the processor can do that."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)
