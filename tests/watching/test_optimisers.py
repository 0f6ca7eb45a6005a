"""Steps of any optimiser are seen, and nothing about them changes."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from torch.optim import Optimizer

from ctcasr.watching.optimisers import (
    OptimiserWatch,
    ParameterSample,
    StepSigns,
    gradient_norm,
)
from ctcasr.watching.seams import clipping_seen


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 2))


def train(model: nn.Module, optimiser: Optimizer, steps: int, clip: float | None = None) -> None:
    draw = torch.Generator().manual_seed(1)
    for _ in range(steps):
        optimiser.zero_grad()
        model(torch.randn(3, 4, generator=draw)).square().sum().backward()
        if clip is not None:
            torch.nn.utils.clip_grad_norm_(model.parameters(), clip)
        optimiser.step()


def watched(steps: int, clip: float | None = None, lr: float = 0.1) -> list[StepSigns]:
    model = network()
    seen: list[StepSigns] = []
    watch = OptimiserWatch(measure=lambda: True, stepped=lambda _, signs: seen.append(signs))
    watch.start()
    try:
        with clipping_seen(watch.clipped):
            train(model, torch.optim.SGD(model.parameters(), lr=lr), steps, clip)
    finally:
        watch.stop()
    plain = network()
    train(plain, torch.optim.SGD(plain.parameters(), lr=lr), steps, clip)
    for own, other in zip(model.parameters(), plain.parameters(), strict=True):
        assert torch.equal(own, other)  # watched or not: the same weights
    return seen


def test_rates_norms_and_moves_are_seen() -> None:
    signs = watched(steps=3)
    assert [sign.lr for sign in signs] == [0.1] * 3
    for sign in signs:
        assert sign.clip_scale == 1.0
        assert sign.grad_norm is not None and sign.grad_norm > 0
        assert sign.update_ratio is not None and 0 < sign.update_ratio < 10


def test_clipping_is_seen_with_the_norm_before_it() -> None:
    free, clipped = watched(steps=1)[0], watched(steps=1, clip=0.01)[0]
    assert clipped.grad_norm == pytest.approx(free.grad_norm)
    assert clipped.clip_scale == pytest.approx(0.01 / (clipped.grad_norm or math.nan), rel=1e-3)


def test_nothing_is_seen_after_the_end() -> None:
    seen: list[StepSigns] = []
    watch = OptimiserWatch(measure=lambda: True, stepped=lambda _, signs: seen.append(signs))
    watch.start()
    watch.stop()
    model = network()
    train(model, torch.optim.SGD(model.parameters(), lr=0.1), 2)
    assert seen == []


def test_what_does_not_move_is_named() -> None:
    model = network()
    parameters = list(model.parameters())
    before = ParameterSample.of(parameters)
    train(model, torch.optim.SGD(parameters[2:], lr=0.1), 1)
    assert [id(p) for p in before.unmoved(parameters)] == [id(p) for p in parameters[:2]]
    assert before.update_ratio(parameters) > 0


def test_the_gradient_norm_is_that_of_all_gradients_together() -> None:
    parameters = [nn.Parameter(torch.zeros(1)) for _ in range(3)]
    parameters[0].grad = torch.tensor([3.0])
    parameters[2].grad = torch.tensor([4.0])
    assert gradient_norm(parameters) == 5.0
    assert math.isnan(gradient_norm(parameters[1:2]))
