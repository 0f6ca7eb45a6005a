"""Steps of any optimiser are seen, and nothing about them changes."""

from __future__ import annotations

import math
from collections.abc import Callable

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
        with clipping_seen(watch.clippings.add):
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
    assert gradient_norm(parameters[1:2]) is None


def test_the_gradient_norm_counts_what_sparse_and_complex_gradients_hold() -> None:
    table = nn.Embedding(10, 2, sparse=True)
    table(torch.tensor([3, 3])).sum().backward()
    assert gradient_norm([table.weight]) == pytest.approx(math.sqrt(8))
    turned = nn.Parameter(torch.zeros(1, dtype=torch.complex64))
    turned.grad = torch.tensor([3.0 + 4.0j])
    assert gradient_norm([turned]) == pytest.approx(5.0)


@pytest.mark.parametrize("dtype", [torch.float64, torch.complex64, torch.bfloat16])
def test_moves_are_measured_in_any_precision(dtype: torch.dtype) -> None:
    wide = nn.Parameter(torch.ones(4, 4, dtype=dtype))
    plain = nn.Parameter(torch.ones(4, 4))
    before = ParameterSample.of([wide, plain])
    with torch.no_grad():
        wide.mul_(1.5)
        plain.mul_(1.5)
    assert before.update_ratio([wide]) == pytest.approx(0.5)
    assert before.update_ratio([wide, plain]) == pytest.approx(0.5)
    assert before.unmoved([wide, plain]) == []


def steps_seen(takes: Callable[[], object], left_out: list[int] | None = None) -> list[StepSigns]:
    seen: list[StepSigns] = []
    told: list[int] = [] if left_out is None else left_out
    watch = OptimiserWatch(
        measure=lambda: True, stepped=lambda _, signs: seen.append(signs), left_out=told.append
    )
    watch.start()
    try:
        with clipping_seen(watch.clippings.add):
            takes()
    finally:
        watch.stop()
    return seen


def test_two_optimisers_of_one_clipped_network_are_both_seen_before_clipping() -> None:
    parts = [nn.Parameter(torch.ones(1, 1)) for _ in range(2)]
    optimisers = [
        torch.optim.SGD([part], lr=rate) for part, rate in zip(parts, (0.1, 0.2), strict=True)
    ]

    def takes() -> None:
        for part, gradient in zip(parts, (3.0, 4.0), strict=True):
            part.grad = torch.full((1, 1), gradient)
        nn.utils.clip_grad_norm_(parts, 1.0)
        for optimiser in optimisers:
            optimiser.step()

    first, second = steps_seen(takes)
    assert [first.grad_norm, second.grad_norm] == pytest.approx([3.0, 4.0], rel=1e-4)
    together = first.together_with(second)
    assert together.lr == 0.2
    assert together.grad_norm == pytest.approx(5.0, rel=1e-4)
    assert together.clip_scale == pytest.approx(0.2, rel=1e-4)


def test_the_norm_is_euclidean_whatever_norm_it_was_clipped_by() -> None:
    part = nn.Parameter(torch.ones(2, 1))
    optimiser = torch.optim.SGD([part], lr=0.1)

    def takes() -> None:
        part.grad = torch.tensor([[3.0], [4.0]])
        nn.utils.clip_grad_norm_([part], 1.0, norm_type=math.inf)
        optimiser.step()

    (signs,) = steps_seen(takes)
    assert signs.grad_norm == pytest.approx(5.0, rel=1e-4)
    assert signs.clip_scale == pytest.approx(0.25, rel=1e-4)


def test_a_step_without_a_gradient_is_told_as_such() -> None:
    part = nn.Parameter(torch.ones(2, 1))
    (signs,) = steps_seen(torch.optim.SGD([part], lr=0.1).step)
    assert signs.without_gradient
    assert signs.grad_norm is signs.update_ratio is None


def test_gradients_scaled_for_a_fused_optimiser_are_read_unscaled_and_steps_left_out_are_told() -> (
    None
):
    part = nn.Parameter(torch.ones(2, 1))
    optimiser = torch.optim.Adam([part], lr=0.1, fused=True)
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    left_out: list[int] = []

    def takes() -> None:
        for factor in (3.0, math.inf, 3.0):
            optimiser.zero_grad()
            scaler.scale((part * torch.tensor([[factor], [4.0]])).sum()).backward()
            scaler.step(optimiser)
            scaler.update()

    signs = steps_seen(takes, left_out)
    norms = [sign.grad_norm for sign in signs if sign.grad_norm is not None]
    assert norms == pytest.approx([5.0, 5.0], rel=1e-4)
    assert left_out == [1]
