"""Products in bfloat16: a task whose steps run under autocast."""

from __future__ import annotations

from typing import Protocol

import torch

from ctcasr.batch import Batch
from ctcasr.tasks.task import Loss, Task


class Steps(Protocol):
    """As much of a task as one optimiser step needs."""

    def step(self, batch: Batch, step: int) -> Loss:
        """Forward pass and objective in training, for optimiser step number `step`."""
        ...


class InHalf:
    """The steps of `task` with products in bfloat16; features, normalisation and CTC stay in float32, checks are not touched.

    The backward pass runs outside: its products take the type that autocast chose for the forward pass.
    """

    def __init__(self, task: Task) -> None:
        self.task = task

    def step(self, batch: Batch, step: int) -> Loss:
        """The task's step."""
        with torch.autocast(batch.audio.device.type, torch.bfloat16):
            return self.task.step(batch, step)
