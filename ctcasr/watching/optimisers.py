"""What optimisers do, seen through torch's global hooks: rates, clipping, how weights move."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.optimizer import (
    register_optimizer_step_post_hook,
    register_optimizer_step_pre_hook,
)
from torch.utils.hooks import RemovableHandle

SAMPLED = 256  # values of each parameter that stand for all of it
CLIPPING_FLOOR = 1e-6  # that torch adds to a norm before it divides by it


@dataclass
class StepSigns:
    """What was seen of one optimiser step; what was not measured is None."""

    lr: float
    grad_norm: float | None = None  # before clipping
    clip_scale: float | None = None  # what clipping multiplied the gradient by
    update_ratio: float | None = None  # length of the step over that of the weights it moved


@dataclass(frozen=True)
class ParameterSample:
    """A few values of each parameter, to tell later which ones have moved, and how far."""

    values: dict[int, Tensor]  # by id of the parameter

    @staticmethod
    @torch.no_grad()
    def of(parameters: Iterable[nn.Parameter]) -> ParameterSample:
        """The sample of these parameters."""
        return ParameterSample({id(values): sampled(values).clone() for values in parameters})

    @torch.no_grad()
    def unmoved(self, parameters: Iterable[nn.Parameter]) -> list[nn.Parameter]:
        """Those of which not one sampled value has changed."""
        unmoved = []
        for parameter in parameters:
            before = self.values.get(id(parameter))
            if before is not None and torch.equal(before, sampled(parameter)):
                unmoved.append(parameter)
        return unmoved

    @torch.no_grad()
    def update_ratio(self, parameters: Iterable[nn.Parameter]) -> float:
        """Length of the way since the sample over that of the weights [matrices]; NaN without."""
        befores = []
        nows = []
        scales = []  # each sampled value stands for so many
        for parameter in parameters:
            before = self.values.get(id(parameter))
            if before is None or parameter.dim() < 2 or not len(before):
                continue
            befores.append(before)
            nows.append(sampled(parameter))
            scales.append(parameter.numel() / len(before))
        if not befores:
            return math.nan
        moves = list(torch._foreach_sub(nows, befores))
        moved = squared_lengths(moves, scales)
        weights = squared_lengths(befores, scales)
        if not weights:
            return math.nan
        return math.sqrt(moved / weights)


def squared_lengths(tensors: list[Tensor], scales: list[float]) -> float:
    """Sum of the squares of all values, those of a tensor times its scale."""
    norms = torch._foreach_norm(tensors, dtype=torch.float32)
    device = norms[0].device
    host_norms = torch.stack([norm.to(device) for norm in norms]).tolist()
    total = 0.0
    for scale, norm in zip(scales, host_norms, strict=True):
        total += scale * norm**2
    return total


def sampled(parameter: Tensor) -> Tensor:
    """At most `SAMPLED` values [n] of a parameter, evenly spread; a view where it can be one."""
    values = parameter.detach().reshape(-1)
    stride = math.ceil(len(values) / SAMPLED)
    return values[:: max(stride, 1)]


def gradient_norm(parameters: Iterable[nn.Parameter]) -> float:
    """Euclidean norm of all dense gradients together; NaN where there is none."""
    gradients = []
    for parameter in parameters:
        gradient = parameter.grad
        if gradient is not None and not gradient.is_sparse:
            gradients.append(gradient.detach())
    if not gradients:
        return math.nan
    return float(nn.utils.get_total_norm(gradients))


def parameters_of(optimiser: Optimizer) -> list[nn.Parameter]:
    """All parameters that an optimiser knows."""
    return [parameter for group in optimiser.param_groups for parameter in group["params"]]


def at_once(look: Callable[..., None], *args: Any) -> None:
    """Look without a guard."""
    look(*args)


@dataclass
class StepInProgress:
    """What is known of a step before it is taken."""

    signs: StepSigns
    before: ParameterSample | None = None  # where the step is looked at closely


@dataclass
class OptimiserWatch:
    """Calls `stepped(optimiser, signs)` behind each step; `measure()` says when to look closely."""

    measure: Callable[[], bool]
    stepped: Callable[[Optimizer, StepSigns], None]
    guard: Callable[..., None] = at_once
    _steps: dict[int, StepInProgress] = field(default_factory=dict)  # by id of the optimiser
    _clipping: tuple[Tensor, float] | None = None  # norm before clipping, largest norm allowed
    _handles: list[RemovableHandle] = field(default_factory=list)

    def start(self) -> None:
        """Begin to look."""
        self._handles = [
            register_optimizer_step_pre_hook(self._before_step),
            register_optimizer_step_post_hook(self._after_step),
        ]

    def stop(self) -> None:
        """Look no more."""
        for handle in self._handles:
            handle.remove()
        self._handles = []

    def clipped(self, total_norm: Tensor, max_norm: float) -> None:
        """Gradients were clipped; `total_norm` is read only where a step is looked at."""
        self._clipping = (total_norm.detach(), max_norm)

    def _before_step(self, optimiser: Optimizer, args: Any, kwargs: Any) -> None:
        self.guard(self._see_before, optimiser)

    def _after_step(self, optimiser: Optimizer, args: Any, kwargs: Any) -> None:
        self.guard(self._see_after, optimiser)

    def _see_before(self, optimiser: Optimizer) -> None:
        rates = [float(group["lr"]) for group in optimiser.param_groups if "lr" in group]
        step = StepInProgress(StepSigns(lr=max(rates, default=math.nan)))
        if self.measure():
            parameters = parameters_of(optimiser)
            step.before = ParameterSample.of(parameters)
            self._read_gradient(step.signs, parameters)
        self._clipping = None
        self._steps[id(optimiser)] = step

    def _read_gradient(self, signs: StepSigns, parameters: list[nn.Parameter]) -> None:
        if self._clipping is None:
            signs.grad_norm = gradient_norm(parameters)
            signs.clip_scale = 1.0
            return
        total_norm, max_norm = self._clipping
        signs.grad_norm = float(total_norm)
        signs.clip_scale = min(1.0, max_norm / (signs.grad_norm + CLIPPING_FLOOR))

    def _see_after(self, optimiser: Optimizer) -> None:
        step = self._steps.pop(id(optimiser), None)
        if step is None:
            return
        if step.before is not None:
            step.signs.update_ratio = step.before.update_ratio(parameters_of(optimiser))
        self.stepped(optimiser, step.signs)
