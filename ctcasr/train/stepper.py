"""One optimiser step: accumulate, look for what is not finite, normalise, clip, move; on one process or on several as on one."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import torch
from torch import nn

from ctcasr.batch import Batch
from ctcasr.task import Loss
from ctcasr.train.bf16 import Steps
from ctcasr.train.memory import free, out_of_memory, split_batch
from ctcasr.train.synced_step import SyncedStep
from ctcasr.train.world import World


@dataclass
class StepResult:
    """What a step did, all processes synced; numbers stay on the device until `loss` and `grad_norm` are asked for."""

    total: torch.Tensor  # sum of the losses
    weight: float
    norm: torch.Tensor  # of the gradient of the mean, before clipping
    last: Loss | None  # of this process; None if it had nothing
    left_out: tuple[str, ...]  # of this process
    scale: torch.Tensor  # what clipping multiplied the gradient by, 0..1
    infeasible: int = 0  # how many were left out
    audio_s: float = 0.0
    halved: int = 0  # how often memory ran out
    too_large: tuple[str, ...] = ()  # utterances of this process that do not fit even alone
    moved: torch.Tensor | None = (
        None  # length of the step over that of the matrices it moved, if it was measured
    )
    problem: str = ""  # why the step was not taken
    suspects: tuple[str, ...] = field(default=())

    @property
    def loss(self) -> float:
        """Mean loss per utterance."""
        return float(self.total) / self.weight if self.weight else math.nan

    @property
    def grad_norm(self) -> float:
        return float(self.norm)


@dataclass
class _Sums:
    """What the parts of a step have added up to on this process; the gradients lie with the parameters."""

    total: torch.Tensor | None = None
    weight: float = 0.0
    left_out: tuple[str, ...] = ()
    seen: list[tuple[Batch, Loss]] = field(default_factory=list)
    failed: int | None = None  # the part that did not fit into memory


def take_step(
    task: Steps,
    optimiser: torch.optim.Optimizer,
    batches: Iterable[Batch | None],
    step: int,
    lr: float,
    clip: float,
    measure: bool = False,
    synced: SyncedStep | None = None,
) -> StepResult | None:
    """Train on `batches` as one; None if there was nothing in them. A loss or gradient that is not finite moves nothing.

    A batch that does not fit into memory is halved, and the step begins anew. With `measure`, the length of the step is compared with
    that of the weights. With `synced`, every process takes this step with its share of the batches (None where it has none).
    """
    world = synced.world if synced else World()
    parameters = [p for group in optimiser.param_groups for p in group["params"]]
    parts, too_large, times = list(batches), list[str](), 0
    while True:
        optimiser.zero_grad(set_to_none=True)
        sums = _accumulate(task, parts, step, synced)
        weight, infeasible, seen, audio_s, failed = world.all_reduce(
            sums.weight,
            len(sums.left_out),
            len(sums.seen),
            sum(batch.audio.seconds for batch, _ in sums.seen),
            sums.failed is not None,
        )
        if not failed:
            break
        times += int(failed)
        if sums.failed is not None:
            parts, name = split_batch(parts, sums.failed)
            too_large += [name] if name else []
        if synced:
            synced.settle()
            parts += [None] * (max(world.gather(len(parts))) - len(parts))
        del sums
        free()
    if not seen and not times:
        return None
    device = parameters[0].device
    total = torch.zeros((), device=device) if sums.total is None else sums.total
    zero, last = torch.zeros(()), sums.seen[-1][1] if sums.seen else None
    outcome = StepResult(
        total,
        weight,
        zero,
        last,
        sums.left_out,
        torch.ones(()),
        int(infeasible),
        audio_s,
        times,
        tuple(too_large),
    )
    if not weight:
        outcome.problem = (
            "no utterance of the batch has an alignment"
            if seen
            else "not one utterance of the batch fits into memory"
        )
        return outcome
    # In double precision on every rank: one that has nothing knows no other type.
    outcome.total = total = total if world.size == 1 else world.all_reduce_tensor(total.double())
    world.all_reduce_gradients(parameters)
    outcome.norm, outcome.scale = _scale(parameters, weight, clip)
    # One wait for the device a step: whether to move must be known before moving.
    if not math.isfinite(float(outcome.norm) + float(total)):
        outcome.problem = (
            "the loss is not finite"
            if not math.isfinite(float(total))
            else "the gradient is not finite"
        )
        outcome.suspects = _suspects(sums.seen, world)
        return outcome
    for group in optimiser.param_groups:
        group["lr"] = lr
    matrices = [p.detach() for p in parameters if p.dim() > 1] if measure else []
    before = [p.clone() for p in matrices]
    optimiser.step()
    if matrices:
        length = torch.nn.utils.get_total_norm(before)
        outcome.moved = torch.nn.utils.get_total_norm(
            torch._foreach_sub(matrices, before)
        ) / length.clamp_min(1e-12)
    return outcome


def _accumulate(
    task: Steps, parts: Sequence[Batch | None], step: int, synced: SyncedStep | None
) -> _Sums:
    """Forward and backward pass over each part; ends where memory runs out, or, synced, goes on in step with the others."""
    sums = _Sums()
    with synced.step() if synced else contextlib.nullcontext():
        for index, batch in enumerate(parts):
            if synced:
                synced.begin()
            if batch is not None and sums.failed is None:
                try:
                    _add(sums, task, batch, step, synced is not None)
                    continue
                except (RuntimeError, MemoryError) as error:
                    if not out_of_memory(error):
                        raise
                    sums.failed = index
            # Behind the handler: it would keep the tensors of the failed attempt.
            if synced:
                synced.run_dummy(task, step)
            elif sums.failed is not None:
                break
    return sums


def _add(sums: _Sums, task: Steps, batch: Batch, step: int, always: bool) -> None:
    """One part's loss and gradient; `always` goes backward even if no utterance counts, as others wait for it."""
    loss = task.step(batch, step)
    if (
        loss.weight > 0 or always
    ) and loss.sum.requires_grad:  # else `_scale` tells that nothing can be trained
        loss.sum.backward()
    sums.left_out += loss.left_out
    sums.seen.append((batch, loss))
    if loss.weight > 0:
        sums.weight += loss.weight
        sums.total = loss.sum.detach() if sums.total is None else sums.total + loss.sum.detach()


def _scale(
    parameters: list[nn.Parameter], weight: float, clip: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Gradients of the sum become those of the mean, no longer than `clip`; returns their length before clipping, and the factor."""
    grads = [p.grad for p in parameters if p.grad is not None]
    if not grads:
        raise ValueError(
            "no trained parameter received a gradient: is the network detached from its loss, or all of it frozen?"
        )
    norm = torch.nn.utils.get_total_norm(grads) / weight
    factor = torch.ones_like(norm) if clip <= 0 else (clip / (norm + 1e-6)).clamp(max=1.0)
    torch._foreach_mul_(grads, factor / weight)
    return norm, factor


def _suspects(seen: Sequence[tuple[Batch, Loss]], world: World) -> tuple[str, ...]:
    """The utterances whose own loss is not finite; all of them where it cannot be told."""
    named = [
        batch.ids[row]
        for batch, loss in seen
        if loss.rows is not None
        for row in range(len(batch))
        if not bool(torch.isfinite(loss.rows[row]))
    ]
    both = world.gather((named, [name for batch, _ in seen for name in batch.ids]))
    return tuple(name for few, _ in both for name in few) or tuple(
        name for _, many in both for name in many
    )
