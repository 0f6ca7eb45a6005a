"""What optimisers do, seen through torch's global hooks: rates, clipping, how weights move."""

from __future__ import annotations

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
        return ParameterSample({id(parameter): sampled(parameter) for parameter in parameters})

    @torch.no_grad()
    def unmoved(self, parameters: Iterable[nn.Parameter]) -> list[nn.Parameter]:
        """Those of which not one sampled value has changed."""
        known = [parameter for parameter in parameters if id(parameter) in self.values]
        return [p for p in known if torch.equal(self.values[id(p)], sampled(p))]

    @torch.no_grad()
    def update_ratio(self, parameters: Iterable[nn.Parameter]) -> float:
        """Length of the way since the sample over that of the weights [matrices]; NaN without."""
        moved = weights = 0.0
        for parameter in parameters:
            before = self.values.get(id(parameter))
            if before is None or parameter.dim() < 2:
                continue
            now = sampled(parameter)
            share = parameter.numel() / max(now.numel(), 1)
            moved += share * float((now - before).float().square().sum())
            weights += share * float(before.float().square().sum())
        return (moved / weights) ** 0.5 if weights else float("nan")


def sampled(parameter: Tensor) -> Tensor:
    """At most `SAMPLED` values [n] of a parameter, evenly spread, in memory of their own."""
    flat = parameter.detach().reshape(-1)
    stride = -(-flat.numel() // SAMPLED) if flat.numel() else 1
    return flat[::stride].clone()


def gradient_norm(parameters: Iterable[nn.Parameter]) -> float:
    """Euclidean norm of all gradients together; NaN where there is none."""
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    dense = [gradient.detach() for gradient in gradients if not gradient.is_sparse]
    if not dense:
        return float("nan")
    squares = sum(float(gradient.float().square().sum()) for gradient in dense)
    return float(squares**0.5)


def parameters_of(optimiser: Optimizer) -> list[nn.Parameter]:
    """All parameters that an optimiser knows."""
    return [parameter for group in optimiser.param_groups for parameter in group["params"]]


@dataclass
class OptimiserWatch:
    """Calls `stepped(optimiser, signs)` behind each step; `measure()` says when to look closely."""

    measure: Callable[[], bool]
    stepped: Callable[[Optimizer, StepSigns], None]
    _before: dict[int, ParameterSample] = field(default_factory=dict)
    _norm_before_clipping: float | None = None
    _largest_norm: float | None = None
    _signs: dict[int, StepSigns] = field(default_factory=dict)
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

    _clipping: tuple[Tensor, float] | None = None

    def _before_step(self, optimiser: Optimizer, args: Any, kwargs: Any) -> None:
        rates = [float(group["lr"]) for group in optimiser.param_groups if "lr" in group]
        signs = StepSigns(lr=max(rates, default=float("nan")))
        if self.measure():
            parameters = parameters_of(optimiser)
            self._before[id(optimiser)] = ParameterSample.of(parameters)
            self._read_gradient(signs, parameters)
        self._clipping = None
        self._signs[id(optimiser)] = signs

    def _read_gradient(self, signs: StepSigns, parameters: list[nn.Parameter]) -> None:
        if self._clipping is None:
            signs.grad_norm = gradient_norm(parameters)
            signs.clip_scale = 1.0
            return
        total_norm, max_norm = self._clipping
        signs.grad_norm = float(total_norm)
        signs.clip_scale = min(1.0, max_norm / (signs.grad_norm + 1e-6))

    def _after_step(self, optimiser: Optimizer, args: Any, kwargs: Any) -> None:
        signs = self._signs.pop(id(optimiser), None)
        if signs is None:
            return
        before = self._before.pop(id(optimiser), None)
        if before is not None:
            signs.update_ratio = before.update_ratio(parameters_of(optimiser))
        self.stepped(optimiser, signs)


def parameters_behind(loss: Tensor) -> list[nn.Parameter]:
    """The leaves that a loss's gradient flows into, by walking its graph.

    What hides behind a custom function (checkpointing) is not found.
    """
    waiting = [loss.grad_fn]
    visited: set[Any] = set()
    leaves: dict[int, nn.Parameter] = {}
    while waiting:
        node = waiting.pop()
        if node is None or node in visited:
            continue
        visited.add(node)
        variable = getattr(node, "variable", None)
        if isinstance(variable, nn.Parameter):
            leaves[id(variable)] = variable
        waiting.extend(following for following, _ in node.next_functions)
    return list(leaves.values())
