"""Pruning: the cubic schedule, weights that stay zero, masks that travel."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from ctcasr.net import Pruner, Schedule
from ctcasr.net.prune import add_mask_buffers, sparsity


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 8, 3),
        nn.ReLU(),
        nn.Conv2d(8, 8, 3, groups=8),
        nn.Flatten(),
        nn.Linear(8 * 36, 4),
    )


def train(pruner: Pruner, steps: int, total: int) -> None:
    optimiser = torch.optim.Adam(pruner.network.parameters(), lr=1e-2)
    for step in range(1, steps + 1):
        optimiser.zero_grad()
        pruner.network(torch.randn(4, 1, 10, 10)).square().mean().backward()
        optimiser.step()
        pruner.after_step(step, total)


@given(total=st.integers(1, 2000), final=st.floats(0.2, 0.99))
def test_sparsity_never_falls_and_ends_at_its_goal(total: int, final: float) -> None:
    schedule = Schedule(final=final)
    course = [schedule.sparsity(step, total) for step in range(total + 1)]
    assert all(a <= b + 1e-12 for a, b in pairwise(course))
    assert course[-1] == pytest.approx(final) and course[0] == 0.0
    due = [step for step in range(1, total + 1) if schedule.due(step, total)]
    assert schedule.sparsity(due[-1], total) == pytest.approx(final)


def test_the_schedule_is_the_cubic_one() -> None:
    schedule = Schedule(0.2, 0.85, 0.25, 0.75)
    assert schedule.sparsity(25, 100) == pytest.approx(0.2)
    assert schedule.sparsity(50, 100) == pytest.approx(0.85 - 0.65 * 0.5**3)
    assert [schedule.sparsity(step, 100) for step in (24, 75, 100)] == [0.0, 0.85, 0.85]
    assert [step for step in range(1, 1001) if schedule.due(step, 1000)] == [
        300,
        400,
        500,
        600,
        700,
        750,
    ]


def test_weights_reach_the_goal_and_stay_zero_while_training_goes_on() -> None:
    pruner = Pruner(network(), Schedule(every=5))
    train(pruner, 20, 40)
    assert 0.2 < sparsity(pruner.network) < 0.85 and pruner.lacking == 1.0
    train(pruner, 28, 40)
    layers = list(pruner.network)  # type: ignore[arg-type]
    zero = [layer.weight == 0 for layer in (layers[0], layers[4])]
    assert sparsity(pruner.network) == pytest.approx(0.85, abs=0.01) and pruner.lacking == 0.0
    train(pruner, 1, 1000)  # a step at which no mask is chosen
    for before, layer in zip(zero, (layers[0], layers[4]), strict=True):
        assert torch.equal(layer.weight == 0, before)
    assert not (layers[2].weight == 0).any()  # a depthwise layer has nothing to spare


def test_the_smallest_weights_go() -> None:
    layer = nn.Linear(10, 10)
    before = layer.weight.detach().clone()
    Pruner(layer, Schedule(0.5, 0.5, 0.0, 1.0)).after_step(1, 1)
    gone = layer.weight == 0
    assert int(gone.sum()) == 50 and before[gone].abs().max() <= before[~gone].abs().min()


def test_masks_are_buffers_that_a_fresh_network_makes_room_for() -> None:
    pruner = Pruner(network(), Schedule(every=1))
    train(pruner, 10, 10)
    state = pruner.network.state_dict()
    fresh = network()
    with pytest.raises(RuntimeError, match="weight_mask"):
        fresh.load_state_dict(state)
    add_mask_buffers(fresh, state)
    fresh.load_state_dict(state)
    assert (
        sparsity(fresh) == sparsity(pruner.network)
        and fresh.state_dict()["0.weight_mask"].dtype == torch.bool
    )


@pytest.mark.parametrize("wrong", [{"initial": 0.9}, {"final": 1.0}, {"begin": 0.8}, {"every": 0}])
def test_impossible_schedules_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="expected 0 <= initial"):
        Schedule(**wrong)  # type: ignore[arg-type]
