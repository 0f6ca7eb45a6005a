"""One optimiser step: accumulate, look for what is not finite, normalise, clip, move.

On one process, or on several as on one.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ctcasr.batch import Batch
from ctcasr.records import Reason
from ctcasr.task import Loss
from ctcasr.train.bf16 import Steps
from ctcasr.train.memory import free, out_of_memory, split_batch
from ctcasr.train.synced_step import SyncedStep
from ctcasr.train.world import World

_NO_NORM = 1e-6  # added to a norm that is divided by, as torch.nn.utils.clip_grad_norm_ does
_NO_WEIGHTS = 1e-12  # least length of the weights that a step is compared with

PROBLEMS = {
    Reason.LOSS_NOT_FINITE: "the loss is not finite",
    Reason.GRADIENT_NOT_FINITE: "the gradient is not finite",
    Reason.NO_ALIGNMENT: "no utterance of the batch has an alignment",
    Reason.NOTHING_FITS: "not one utterance of the batch fits into memory",
}
"""Why a step was not taken, in words for people."""


Rows = Sequence[tuple[tuple[str, ...], Tensor | None]]
"""Names of the utterances of each part of a step, and their losses [B]."""


@dataclass(frozen=True, eq=False)
class Undecided:
    """What the device decides about a step, for whoever asks later: nobody waits for it now."""

    taken: Tensor  # bool: loss and gradient are finite
    loss_is_finite: Tensor  # bool
    rows: Rows  # of this process


class Decision(NamedTuple):
    """What has become of a step."""

    problem: Reason | None = None  # why it was not taken
    suspects: tuple[str, ...] = ()  # utterances that may have caused that


@dataclass
class StepResult:
    """What a step did, all processes together.

    Tensors stay on the device until `loss` and `grad_norm` are asked for.
    """

    total: Tensor  # sum of the losses
    weight: float  # utterances that count
    norm: Tensor  # of the gradient of the mean, before clipping
    scale: Tensor  # what clipping multiplied the gradient by, 0..1
    last: Loss | None  # of this process; None if it had nothing
    left_out: tuple[str, ...]  # of this process
    infeasible: int = 0  # how many were left out
    audio_s: float = 0.0
    halved: int = 0  # how often memory ran out
    too_large: tuple[str, ...] = ()  # utterances of this process that do not fit even alone
    moved: Tensor | None = None  # length of the step over that of the matrices, if measured
    problem: Reason | None = None  # why the step was not taken
    suspects: tuple[str, ...] = ()  # utterances that may have caused the problem
    undecided: Undecided | None = None  # where the device decides whether the step is taken
    seen: Sequence[tuple[Batch, Loss]] = ()  # of this process

    @property
    def loss(self) -> float:
        """Mean loss per utterance."""
        return float(self.total) / self.weight if self.weight else math.nan

    @property
    def grad_norm(self) -> float:
        """Length of the gradient of the mean loss, before clipping."""
        return float(self.norm)


@dataclass
class _Sums:
    """What the parts of a step have added up to on this process; gradients lie with parameters."""

    total: Tensor | None = None
    weight: float = 0.0
    left_out: tuple[str, ...] = ()
    seen: list[tuple[Batch, Loss]] = field(default_factory=list)
    failed_part: int | None = None  # the one that did not fit into memory

    def add(self, batch: Batch, loss: Loss) -> None:
        """Take in one part."""
        self.left_out += loss.left_out
        self.seen.append((batch, loss))
        if loss.weight > 0:
            self.weight += loss.weight
            told = loss.sum if loss.told is None else loss.told
            detached = told.detach()
            self.total = detached if self.total is None else self.total + detached


@dataclass(frozen=True)
class _Totals:
    """Numbers of a step, added up over all processes."""

    weight: float
    infeasible: int
    parts: int  # that were seen
    audio_s: float
    failed: int  # processes whose memory ran out

    @staticmethod
    def over(world: World, sums: _Sums) -> _Totals:
        """What all processes' sums come to; every process must ask."""
        weight, infeasible, parts, audio_s, failed = world.all_reduce(
            sums.weight,
            len(sums.left_out),
            len(sums.seen),
            sum(batch.audio.seconds for batch, _ in sums.seen),
            sums.failed_part is not None,
        )
        return _Totals(weight, int(infeasible), int(parts), audio_s, int(failed))


class Stepper:
    """Takes optimiser steps for a task.

    With `synced`, every process takes each step, with its share of the batches. `clip` bounds the
    length of the gradient of the mean loss; 0: no bound.
    """

    def __init__(
        self,
        task: Steps,
        optimiser: torch.optim.Optimizer,
        clip: float = 0.0,
        synced: SyncedStep | None = None,
    ) -> None:
        self.task = task
        self.optimiser = optimiser
        self.clip = clip
        self.synced = synced
        self.parameters = [p for group in optimiser.param_groups for p in group["params"]]

    @property
    def _device_decides(self) -> bool:
        """Whether the optimiser takes the word of the device that it must not move."""
        fused = all(group.get("fused") for group in self.optimiser.param_groups)
        return fused and all(parameter.is_cuda for parameter in self.parameters)

    @property
    def world(self) -> World:
        """The processes that take each step."""
        return self.synced.world if self.synced else World()

    def take(
        self, batches: Iterable[Batch | None], *, step: int, lr: float, measure: bool = False
    ) -> StepResult | None:
        """Train on `batches` as one (None where this process has no share); None if all are empty.

        A loss or gradient that is not finite moves nothing, and is the result's `problem`; on CUDA
        a fused optimiser leaves that to the device, and `decisions` tells it when it is asked. A
        batch that does not fit into memory is halved, and the step begins anew. With `measure`, the
        length of the step is compared with that of the weights.

        Raises:
            ValueError: where no trained parameter receives a gradient.
        """
        sums, result, parts_seen = self._accumulate_within_memory(list(batches), step)
        if not parts_seen and not result.halved:
            return None
        if not result.weight:
            result.problem = Reason.NO_ALIGNMENT if parts_seen else Reason.NOTHING_FITS
            return result
        if self.world.size > 1:
            # In double precision on every rank: one that has nothing knows no other type.
            result.total = self.world.all_reduce_tensor(result.total.double())
        self.world.all_reduce_gradients(self.parameters)
        result.norm, result.scale = _scale_gradients(self.parameters, result.weight, self.clip)
        rows = [(batch.ids, loss.rows) for batch, loss in sums.seen]
        if self._device_decides:
            loss_is_finite = torch.isfinite(result.total)
            taken = torch.isfinite(result.norm) & loss_is_finite
            result.undecided = Undecided(taken, loss_is_finite, rows)
            result.moved = self._move(lr, measure, found_inf=(~taken).float())
            return result
        # One wait for the device a step: whether to move must be known before moving.
        if not math.isfinite(float(result.norm) + float(result.total)):
            finite_loss = math.isfinite(float(result.total))
            result.problem = Reason.GRADIENT_NOT_FINITE if finite_loss else Reason.LOSS_NOT_FINITE
            result.suspects = _suspects(rows, self.world)
            return result
        result.moved = self._move(lr, measure)
        return result

    def _accumulate_within_memory(
        self, parts: list[Batch | None], step: int
    ) -> tuple[_Sums, StepResult, int]:
        """Gradients of all parts, halved until they fit; the result so far, and parts seen."""
        too_large: list[str] = []
        halved = 0
        while True:
            self.optimiser.zero_grad(set_to_none=True)
            sums = self._accumulate(parts, step)
            totals = _Totals.over(self.world, sums)
            if not totals.failed:
                break
            halved += totals.failed
            if sums.failed_part is not None:
                parts, name = split_batch(parts, sums.failed_part)
                if name is not None:
                    too_large.append(name)
            if self.synced:
                self.synced.settle()
                most = max(self.world.gather(len(parts)))
                parts += [None] * (most - len(parts))
            del sums
            free()
        no_loss = torch.zeros((), device=self.parameters[0].device)
        result = StepResult(
            total=no_loss if sums.total is None else sums.total,
            weight=totals.weight,
            norm=torch.zeros(()),
            scale=torch.ones(()),
            last=sums.seen[-1][1] if sums.seen else None,
            left_out=sums.left_out,
            infeasible=totals.infeasible,
            audio_s=totals.audio_s,
            halved=halved,
            too_large=tuple(too_large),
            seen=sums.seen,
        )
        return sums, result, totals.parts

    def _accumulate(self, parts: Sequence[Batch | None], step: int) -> _Sums:
        """Forward and backward pass over each part, up to where memory runs out.

        Together with other processes, the rest is gone through in step with them.
        """
        sums = _Sums()
        with self.synced.step() if self.synced else contextlib.nullcontext():
            for index, batch in enumerate(parts):
                if self.synced:
                    self.synced.begin()
                if batch is not None and sums.failed_part is None:
                    try:
                        sums.add(batch, self._backward(batch, step))
                        continue
                    except (RuntimeError, MemoryError) as error:
                        if not out_of_memory(error):
                            raise
                        sums.failed_part = index
                # Behind the handler: it would keep the tensors of the failed attempt.
                if self.synced:
                    self.synced.run_dummy(self.task, step)
                elif sums.failed_part is not None:
                    break
        return sums

    def _backward(self, batch: Batch, step: int) -> Loss:
        """One part's loss, its gradient added to the others'."""
        loss = self.task.step(batch, step)
        # Other processes wait for the backward pass even if no utterance of this one counts.
        wanted = loss.weight > 0 or self.synced is not None
        # Where nothing asks for a gradient, `_scale_gradients` tells that nothing is trained.
        if wanted and loss.sum.requires_grad:
            loss.sum.backward()
        return loss

    def _move(self, lr: float, measure: bool, found_inf: Tensor | None = None) -> Tensor | None:
        """Let the optimiser move; if measured, how far, over the length of the matrices moved.

        A fused one stays where it is if `found_inf` is 1.
        """
        if found_inf is not None:
            self.optimiser.found_inf = found_inf  # type: ignore[attr-defined]
        for group in self.optimiser.param_groups:
            group["lr"] = lr
        matrices = [p.detach() for p in self.parameters if p.dim() > 1] if measure else []
        if not matrices:
            self.optimiser.step()
            return None
        before = [matrix.clone() for matrix in matrices]
        self.optimiser.step()
        length = torch.nn.utils.get_total_norm(before)
        moved = torch.nn.utils.get_total_norm(torch._foreach_sub(matrices, before))
        return moved / length.clamp_min(_NO_WEIGHTS)


def _scale_gradients(
    parameters: Sequence[nn.Parameter], weight: float, clip: float
) -> tuple[Tensor, Tensor]:
    """Gradients of the sum become those of the mean, no longer than `clip`.

    Returns their length before clipping, and what clipping multiplied them by.
    """
    grads = [p.grad for p in parameters if p.grad is not None]
    if not grads:
        raise ValueError(
            "no trained parameter received a gradient: "
            "is the network detached from its loss, or all of it frozen?"
        )
    norm = torch.nn.utils.get_total_norm(grads) / weight
    if clip > 0:
        factor = (clip / (norm + _NO_NORM)).clamp(max=1.0)
    else:
        factor = torch.ones_like(norm)
    torch._foreach_mul_(grads, factor / weight)
    return norm, factor


def decisions(undecided: Sequence[Undecided], world: World) -> list[Decision]:
    """What the device has decided about steps: waits for it, once. Every process must ask."""
    if not undecided:
        return []
    flags = [torch.stack([step.taken, step.loss_is_finite]) for step in undecided]
    made = []
    for step, (taken, loss_is_finite) in zip(undecided, torch.stack(flags).tolist(), strict=True):
        if taken:
            made.append(Decision())
            continue
        problem = Reason.GRADIENT_NOT_FINITE if loss_is_finite else Reason.LOSS_NOT_FINITE
        made.append(Decision(problem, _suspects(step.rows, world)))
    return made


def _suspects(rows: Rows, world: World) -> tuple[str, ...]:
    """The utterances whose own loss is not finite; all of them where it cannot be told."""
    every: list[str] = []
    not_finite: list[str] = []
    for ids, losses in rows:
        every += ids
        if losses is not None:
            finite = torch.isfinite(losses).tolist()
            not_finite += [name for name, good in zip(ids, finite, strict=True) if not good]
    everywhere = world.gather((not_finite, every))
    named = tuple(name for names, _ in everywhere for name in names)
    return named or tuple(name for _, names in everywhere for name in names)
