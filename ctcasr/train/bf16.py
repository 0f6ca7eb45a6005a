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

    Features, normalisation and CTC stay in float32, and checks are not touched.
    """

    def __init__(self, task: Task) -> None:
        self.task = task

    def step(self, batch: Batch, step: int) -> Loss:
        """The task's step."""
        with rounded_products(batch.audio.device.type):
            return self.task.step(batch, step)


@contextmanager
def rounded_products(device: str) -> Iterator[None]:
    """Within, products on a kind of device have bfloat16 factors.

    On a GPU by autocast: the backward pass takes the types that the forward pass took. On a CPU
    tensors stay in float32, and layers that are the faster for it round their factors themselves
    (`net.compiled.product_dtype`), where the processor can do that: autocast would slow RNN layers
    down.

    Example:
        >>> with rounded_products("cpu"):
        ...     torch.get_float32_matmul_precision()
        'medium'
    """
    if device != "cpu":
        with torch.autocast(device, torch.bfloat16):
            yield
        return
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)
