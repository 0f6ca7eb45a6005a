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

from ctcasr.watching.clipping import Clippings

SAMPLED = 256  # values of each parameter that stand for all of it


@dataclass
class StepSigns:
    """What was seen of one optimiser step; what was not measured is None."""

    lr: float
    grad_norm: float | None = None  # before clipping
    clip_scale: float | None = None  # what clipping multiplied the gradient by
    update_ratio: float | None = None  # length of the step over that of the weights it moved
    without_gradient: bool = False  # it was measured, and no parameter had one

    def together_with(self, other: StepSigns) -> StepSigns:
        """Both as one step, which two optimisers of one network have taken together."""
        norms = []
        clipped_norms = []
        for signs in (self, other):
            if signs.grad_norm is not None and signs.clip_scale is not None:
                norms.append(signs.grad_norm)
                clipped_norms.append(signs.grad_norm * signs.clip_scale)
        ratios = [self.update_ratio, other.update_ratio]
        together = StepSigns(
            lr=max(self.lr, other.lr),
            update_ratio=max((ratio for ratio in ratios if ratio is not None), default=None),
            without_gradient=self.without_gradient and other.without_gradient,
        )
        if norms:
            together.grad_norm = math.hypot(*norms)
            together.clip_scale = 1.0
            if together.grad_norm > 0:
                together.clip_scale = math.hypot(*clipped_norms) / together.grad_norm
        return together


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
    widest = torch.float32
    if any(tensor.dtype == torch.float64 for tensor in tensors):
        widest = torch.float64
    norms = torch._foreach_norm(tensors, dtype=widest)
    device = norms[0].device
    host_norms = torch.stack([norm.to(device) for norm in norms]).tolist()
    total = 0.0
    for scale, norm in zip(scales, host_norms, strict=True):
        total += scale * norm**2
    return total


def sampled(parameter: Tensor) -> Tensor:
    """At most `SAMPLED` real values [n] of a parameter, evenly spread; a view where it can be."""
    values = parameter.detach()
    if values.is_complex():
        values = torch.view_as_real(values)
    values = values.reshape(-1)
    stride = math.ceil(len(values) / SAMPLED)
    return values[:: max(stride, 1)]


def gradient_of(parameter: nn.Parameter) -> Tensor | None:
    """The values of a gradient, of a sparse one those that it has; None without."""
    gradient = parameter.grad
    if gradient is None:
        return None
    if gradient.is_sparse:
        return gradient.detach().coalesce().values()
    return gradient.detach()


def gradient_norm(parameters: Iterable[nn.Parameter]) -> float | None:
    """Euclidean norm of all gradients together; None where there is none."""
    gradients = []
    for parameter in parameters:
        gradient = gradient_of(parameter)
        if gradient is not None:
            gradients.append(gradient)
    if not gradients:
        return None
    return float(nn.utils.get_total_norm(gradients))


def parameters_of(optimiser: Optimizer) -> list[nn.Parameter]:
    """All parameters that an optimiser knows."""
    return [parameter for group in optimiser.param_groups for parameter in group["params"]]


def ignore(count: int) -> None:
    """Do nothing about it."""


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
    """Calls `stepped(optimiser, signs)` behind each step; `measure()` says when to look closely.

    And `left_out(count)` for steps that a GradScaler has told a fused optimiser to leave out: they
    are counted on the device, and read where a step is looked at closely, and at the end.
    """

    measure: Callable[[], bool]
    stepped: Callable[[Optimizer, StepSigns], None]
    guard: Callable[..., None] = at_once
    left_out: Callable[[int], None] = ignore
    clippings: Clippings = field(default_factory=Clippings)
    _left_out: Tensor | None = None  # steps, not read yet
    _steps: dict[int, StepInProgress] = field(default_factory=dict)  # by id of the optimiser
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

    def _before_step(self, optimiser: Optimizer, args: Any, kwargs: Any) -> None:
        self.guard(self._see_before, optimiser)

    def _after_step(self, optimiser: Optimizer, args: Any, kwargs: Any) -> None:
        self.guard(self._see_after, optimiser)

    def _see_before(self, optimiser: Optimizer) -> None:
        rates = [float(group["lr"]) for group in optimiser.param_groups if "lr" in group]
        step = StepInProgress(StepSigns(lr=max(rates, default=math.nan)))
        self.clippings.begin_step(id(optimiser))
        self._count_left_out(optimiser)
        if self.measure() and not self.read_left_out(optimiser):
            self._read_gradient(step.signs, optimiser)
            if not step.signs.without_gradient:  # without, no length of a step tells of the rate
                step.before = ParameterSample.of(parameters_of(optimiser))
        self._steps[id(optimiser)] = step

    def _count_left_out(self, optimiser: Optimizer) -> None:
        """Count a step that a fused optimiser will leave out, without waiting for the device."""
        found_inf = getattr(optimiser, "found_inf", None)
        if found_inf is None:
            return
        left_out = (found_inf.detach() > 0).sum()
        if self._left_out is not None:
            left_out += self._left_out.to(left_out.device)
        self._left_out = left_out

    def read_left_out(self, optimiser: Optimizer | None = None) -> bool:
        """Tell of steps that were left out; whether that of `optimiser`, which comes, is one."""
        count = 0 if self._left_out is None else int(self._left_out)
        self._left_out = None
        if count:
            self.left_out(count)
        found_inf = getattr(optimiser, "found_inf", None)
        return found_inf is not None and float(found_inf) > 0

    def _read_gradient(self, signs: StepSigns, optimiser: Optimizer) -> None:
        """The norm of the gradient as it was before it was scaled and clipped."""
        parameters = parameters_of(optimiser)
        norm = gradient_norm(parameters)
        if norm is None:
            signs.without_gradient = True
            return
        signs.clip_scale = self.clippings.scale_of(parameters)
        grad_scale = getattr(optimiser, "grad_scale", None)  # that a fused optimiser divides by
        factor = signs.clip_scale * (1.0 if grad_scale is None else float(grad_scale))
        signs.grad_norm = norm / factor if factor else math.inf

    def _see_after(self, optimiser: Optimizer) -> None:
        step = self._steps.pop(id(optimiser), None)
        if step is None:
            return
        if step.before is not None:
            step.signs.update_ratio = step.before.update_ratio(parameters_of(optimiser))
        self.stepped(optimiser, step.signs)
