"""One optimiser step: accumulate, look for what is not finite, normalise, clip, move."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

import torch
from torch import nn

from ctcasr.batch import Batch
from ctcasr.tasks.task import Loss, Task


@dataclass
class Outcome:
    """What a step did; numbers stay on the device until `loss` and `grad_norm` are asked for."""

    total: torch.Tensor                      # sum of the losses
    weight: float
    norm: torch.Tensor                       # of the gradient of the mean, before clipping
    last: Loss
    left_out: tuple[str, ...]
    scale: torch.Tensor                      # what clipping multiplied the gradient by, 0..1
    moved: torch.Tensor | None = None        # length of the step over that of the matrices it moved, if it was measured
    problem: str = ""                        # why the step was not taken
    suspects: tuple[str, ...] = field(default=())

    @property
    def loss(self) -> float:
        """Mean loss per utterance."""
        return float(self.total) / self.weight if self.weight else math.nan

    @property
    def grad_norm(self) -> float:
        return float(self.norm)


def take_step(task: Task, optimiser: torch.optim.Optimizer, batches: Iterable[Batch], step: int, lr: float, clip: float,
              measure: bool = False) -> Outcome | None:
    """Train on `batches` as one; None if there was nothing in them. A loss or gradient that is not finite moves nothing.

    With `measure`, the length of the step is compared with that of the weights.
    """
    optimiser.zero_grad(set_to_none=True)
    parameters = [p for group in optimiser.param_groups for p in group["params"]]
    total: torch.Tensor | None = None
    weight, left_out, seen = 0.0, (), []                     # type: float, tuple[str, ...], list[tuple[Batch, Loss]]
    for batch in batches:
        loss = task.step(batch, step)
        left_out += loss.left_out
        seen.append((batch, loss))
        if loss.weight > 0:
            if loss.sum.requires_grad:                       # else `_scale` tells that nothing can be trained
                loss.sum.backward()
            weight += loss.weight
            total = loss.sum.detach() if total is None else total + loss.sum.detach()
    if not seen:
        return None
    last, one = seen[-1][1], torch.ones(())
    if total is None:
        zero = torch.zeros(())
        return Outcome(zero, 0.0, zero, last, left_out, one, problem="no utterance of the batch has an alignment")
    norm, scale = _scale(parameters, weight, clip)
    # One wait for the device a step: whether to move must be known before moving.
    if not math.isfinite(float(norm) + float(total)):
        return Outcome(total, weight, norm, last, left_out, scale, problem=_cause(float(total)), suspects=_suspects(seen))
    for group in optimiser.param_groups:
        group["lr"] = lr
    matrices = [p.detach() for p in parameters if p.dim() > 1] if measure else []
    before = [p.clone() for p in matrices]
    optimiser.step()
    moved = None
    if matrices:
        length = torch.nn.utils.get_total_norm(before)
        moved = torch.nn.utils.get_total_norm(torch._foreach_sub(matrices, before)) / length.clamp_min(1e-12)
    return Outcome(total, weight, norm, last, left_out, scale, moved)


def _scale(parameters: list[nn.Parameter], weight: float, clip: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Gradients of the sum become those of the mean, no longer than `clip`; returns their length before clipping, and the factor."""
    grads = [p.grad for p in parameters if p.grad is not None]
    if not grads:
        raise ValueError("no trained parameter received a gradient: is the network detached from its loss, or all of it frozen?")
    norm = torch.nn.utils.get_total_norm(grads) / weight
    factor = torch.ones_like(norm) if clip <= 0 else (clip / (norm + 1e-6)).clamp(max=1.0)
    torch._foreach_mul_(grads, factor / weight)
    return norm, factor


def _cause(total: float) -> str:
    return "the loss is not finite" if not math.isfinite(total) else "the gradient is not finite"


def _suspects(seen: list[tuple[Batch, Loss]]) -> tuple[str, ...]:
    """The utterances whose own loss is not finite; all of them where it cannot be told."""
    named = [batch.ids[row] for batch, loss in seen if loss.rows is not None
             for row in range(len(batch)) if not bool(torch.isfinite(loss.rows[row]))]
    return tuple(named) or tuple(name for batch, _ in seen for name in batch.ids)
