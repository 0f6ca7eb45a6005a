"""Schedules and optimisers."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from torch import nn

from ctcasr.train import TrainConfig
from ctcasr.train.schedule import learning_rate, make_optimiser
from ctcasr.train.state import TrainState

SCHEDULES = ("onecycle", "cosine", "linear", "exponential", "plateau", "constant", "range")


def curve(config: TrainConfig, points: int = 2001) -> list[float]:
    return [learning_rate(config, k / (points - 1)) for k in range(points)]


def waits_of(checks: list[float]) -> list[int]:
    """What a run whose checks have these values hands to its schedule."""
    state = TrainState()
    for value in checks:
        state.note_check((value,))
    return state.waits


@pytest.mark.parametrize(
    ("schedule", "warmup"), list(itertools.product(SCHEDULES, (0.0, 0.1, 0.5)))
)
def test_positive_at_most_the_top_and_without_jumps(schedule: str, warmup: float) -> None:
    rates = curve(TrainConfig(schedule=schedule, lr=0.5, warmup=warmup))
    assert all(0 < rate <= 0.5 * (1 + 1e-12) for rate in rates) and max(rates) == pytest.approx(
        0.5, rel=1e-2
    )
    assert max(abs(b - a) for a, b in itertools.pairwise(rates)) < 0.5 * 0.012


@pytest.mark.parametrize("schedule", ["onecycle", "cosine", "linear", "exponential", "plateau"])
def test_rises_in_the_warm_up_and_never_after(schedule: str) -> None:
    rates = curve(TrainConfig(schedule=schedule, lr=1.0, warmup=0.25))
    assert all(a <= b for a, b in itertools.pairwise(rates[:500]))
    assert all(a >= b for a, b in itertools.pairwise(rates[500:]))
    assert rates[500] == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("schedule", "first", "last"),
    [
        ("onecycle", 1 / 25, 1e-4),
        ("cosine", 1e-3, 1e-4),
        ("linear", 1e-3, 1e-4),
        ("exponential", 1e-3, 1e-2),
        ("plateau", 1e-3, 1.0),
        ("constant", 1.0, 1.0),
        ("range", 1e-4, 1.0),
    ],
)
def test_ends(schedule: str, first: float, last: float) -> None:
    config = TrainConfig(schedule=schedule, lr=3.0, warmup=0.1)
    assert learning_rate(config, 0.0) == pytest.approx(3.0 * first) and learning_rate(
        config, 1.0
    ) == pytest.approx(3.0 * last)


def test_exponential_and_range_are_straight_lines_in_the_logarithm() -> None:
    for schedule in ("exponential", "range"):
        logs = [math.log(rate) for rate in curve(TrainConfig(schedule=schedule, warmup=0.0), 101)]
        assert [b - a for a, b in itertools.pairwise(logs)] == pytest.approx(
            [logs[1] - logs[0]] * 100, rel=1e-6
        )


@pytest.mark.parametrize(
    ("checks", "halvings"),
    [
        ([], 0),
        ([5, 4, 3, 2], 0),
        ([5, 6, 6], 0),
        ([5, 6, 6, 6], 1),
        ([5, 6, 6, 6, 4, 4, 4], 1),
        ([5] * 7, 2),
        ([math.nan] * 4, 1),
        ([5, 5, 5, 4, 4, 4, 4], 1),
    ],
)
def test_plateau_halves_after_three_checks_without_a_better_one(
    checks: list[float], halvings: int
) -> None:
    config = TrainConfig(schedule="plateau", lr=1.0)
    assert learning_rate(config, 0.9, waits_of(checks)) == 0.5**halvings


def test_plateau_never_lowers_the_rate_while_every_check_is_the_best_so_far() -> None:
    state = TrainState()
    for loss in (
        3.0,
        2.5,
        2.0,
        1.5,
        1.0,
    ):  # the error rate stays at 1, as it does before the release
        assert state.note_check((1.0, loss))
    assert learning_rate(TrainConfig(schedule="plateau", lr=1.0), 0.9, state.waits) == 1.0


@pytest.mark.parametrize("schedule", ["onecycle", "cosine", "linear"])
@pytest.mark.parametrize("floor", [1e-5, 1e-3, 0.5, 1.0])
def test_a_floor_is_where_the_rate_ends_and_never_passed(schedule: str, floor: float) -> None:
    rates = curve(TrainConfig(schedule=schedule, lr=1e-2, warmup=0.0, floor=floor))
    assert rates[-1] == pytest.approx(1e-2 * floor, rel=1e-12) and min(rates) == rates[-1]
    assert schedule == "onecycle" or rates[0] == pytest.approx(1e-2)


def test_linear_with_a_floor_is_one_straight_line() -> None:
    rates = curve(TrainConfig(schedule="linear", lr=1e-2, warmup=0.0, floor=1e-3), 101)
    assert rates == pytest.approx([1e-2 + (1e-5 - 1e-2) * k / 100 for k in range(101)], rel=1e-9)


@pytest.mark.parametrize("schedule", ["onecycle", "cosine", "linear"])
def test_without_a_floor_the_fall_itself_is_unchanged(schedule: str) -> None:
    for progress in (0.1, 0.4, 0.77, 0.99):
        fall = (progress - 0.1) / 0.9
        share = 1 - fall if schedule == "linear" else (1 + math.cos(math.pi * fall)) / 2
        assert learning_rate(
            TrainConfig(schedule=schedule, lr=1.0, warmup=0.1), progress
        ) == pytest.approx(share, rel=1e-12)


@pytest.mark.parametrize(
    ("checks", "falls"),
    [([5] * 5, 0), ([5] * 6, 1), ([5] * 11, 2), ([5, 5, 5, 5, 5, 4, 4, 4, 4, 4, 4], 1)],
)
def test_plateau_with_another_factor_and_patience(checks: list[float], falls: int) -> None:
    config = TrainConfig(schedule="plateau", lr=1.0, decay=0.8, decay_after=5)
    assert learning_rate(config, 0.9, waits_of(checks)) == pytest.approx(0.8**falls)


@pytest.mark.parametrize(
    "wrong", [{"floor": -0.1}, {"floor": 1.5}, {"decay": 0.0}, {"decay": 2.0}, {"decay_after": 0}]
)
def test_settings_of_schedules_outside_their_range_are_errors(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"expected floor within 0\.\.1, decay .*; got"):
        learning_rate(TrainConfig(**wrong), 0.5)  # type: ignore[arg-type]


@pytest.mark.parametrize("progress", [0.0, 0.05, 0.5, 1.0])
def test_an_unknown_schedule_is_an_error_from_the_first_step_on(progress: float) -> None:
    with pytest.raises(ValueError, match=r"schedule: expected one of onecycle, .*got 'onecicle'"):
        learning_rate(TrainConfig(schedule="onecicle"), progress)


@pytest.mark.parametrize(
    ("name", "kind"),
    [("adamw", torch.optim.AdamW), ("sgd", torch.optim.SGD), ("rmsprop", torch.optim.RMSprop)],
)
def test_weight_decay_touches_matrices_only(name: str, kind: type) -> None:
    network = nn.Sequential(nn.Conv1d(2, 3, 3), nn.BatchNorm1d(3), nn.GRU(3, 4), nn.Linear(4, 5))
    optimiser = make_optimiser(TrainConfig(optimiser=name, weight_decay=0.3), network.parameters())
    assert isinstance(optimiser, kind)
    decay = {
        id(p): group["weight_decay"] for group in optimiser.param_groups for p in group["params"]
    }
    assert decay == {id(p): 0.3 if p.dim() > 1 else 0.0 for p in network.parameters()}


@pytest.mark.parametrize("name", ["adamw", "sgd", "rmsprop"])
def test_every_optimiser_goes_downhill(name: str) -> None:
    torch.manual_seed(0)
    network, x = nn.Linear(3, 3), torch.randn(8, 3)
    optimiser = make_optimiser(TrainConfig(optimiser=name, lr=0.01), network.parameters())
    losses = []
    for _ in range(30):
        optimiser.zero_grad()
        loss = network(x).square().mean()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.7 * losses[0]


def test_an_unknown_optimiser_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"optimiser: expected .*; got 'adagrad'"):
        make_optimiser(TrainConfig(optimiser="adagrad"), nn.Linear(1, 1).parameters())
