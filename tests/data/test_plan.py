"""Plans: every utterance once, bounds kept, the same count in every epoch, little padding."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctcasr.data import plan_batches

DURATIONS = st.lists(st.floats(0, 30), min_size=1, max_size=120)
BOUNDS = st.sampled_from(
    [
        {"batch_size": 1, "batch_seconds": None},
        {"batch_size": 7, "batch_seconds": None},
        {"batch_size": 500, "batch_seconds": None},
        {"batch_size": None, "batch_seconds": 40.0},
        {"batch_size": 4, "batch_seconds": 60.0},
        {"batch_size": None, "batch_seconds": 1.0},
    ]
)
ORDERS = ["shuffle", "sorted", "sortagrad", "manifest"]


@given(DURATIONS, BOUNDS, st.sampled_from(ORDERS), st.integers(0, 3), st.integers(0, 3))
def test_every_utterance_once_within_the_bounds(
    durations: list[float], bounds: dict[str, Any], order: Any, seed: int, epoch: int
) -> None:
    plan = plan_batches(durations, **bounds, order=order, seed=seed, epoch=epoch)
    assert sorted(index for batch in plan for index in batch) == list(range(len(durations)))
    for batch in plan:
        assert 1 <= len(batch) <= (bounds["batch_size"] or len(durations))
        padded = len(batch) * max(durations[index] for index in batch)
        assert (
            bounds["batch_seconds"] is None
            or len(batch) == 1
            or padded <= bounds["batch_seconds"] * (1 + 1e-9)
        )
    assert plan == plan_batches(durations, **bounds, order=order, seed=seed, epoch=epoch)
    assert len(plan) == len(
        plan_batches(durations, **bounds, order=order, seed=seed, epoch=epoch + 1)
    )


@given(DURATIONS, st.integers(1, 20))
def test_batches_by_count_are_as_few_and_as_equal_as_can_be(
    durations: list[float], size: int
) -> None:
    plan = plan_batches(
        durations, batch_size=size, batch_seconds=None, order="shuffle", seed=0, epoch=0
    )
    sizes = {len(batch) for batch in plan}
    assert len(plan) == -(-len(durations) // size) and max(sizes) - min(sizes) <= 1


def _plan(order: Any, epoch: int = 0, seed: int = 0, **bounds: Any) -> list[list[int]]:
    return plan_batches(
        LONG,
        **{"batch_size": None, "batch_seconds": None, **bounds},
        order=order,
        seed=seed,
        epoch=epoch,
    )


LONG = np.random.default_rng(0).uniform(1, 17, 3000).tolist()


@pytest.mark.parametrize("bounds", [{"batch_size": 16}, {"batch_seconds": 160.0}])
def test_little_padding(bounds: dict[str, Any]) -> None:
    padded = sum(len(batch) * max(LONG[i] for i in batch) for batch in _plan("shuffle", **bounds))
    assert sum(LONG) / padded > 0.93


@pytest.mark.parametrize("bounds", [{"batch_size": 16}, {"batch_seconds": 160.0}])
def test_orders(bounds: dict[str, Any]) -> None:
    flat = {order: [i for batch in _plan(order, **bounds) for i in batch] for order in ORDERS}
    by_length = sorted(range(len(LONG)), key=LONG.__getitem__)
    assert flat["manifest"] == list(range(len(LONG)))
    assert flat["sortagrad"] == by_length and flat["sorted"] == by_length[::-1]
    assert _plan("sortagrad", 1, **bounds) == _plan("shuffle", 1, **bounds)


@pytest.mark.parametrize("bounds", [{"batch_size": 16}, {"batch_seconds": 160.0}])
def test_epochs_and_seeds_mix_batches_anew(bounds: dict[str, Any]) -> None:
    plans = [_plan("shuffle", epoch, seed, **bounds) for epoch, seed in [(0, 0), (1, 0), (0, 1)]]
    mates = [{frozenset(batch) for batch in plan} for plan in plans]
    assert not mates[0] & mates[1] and not mates[0] & mates[2]
    lengths = [LONG[batch[0]] for batch in plans[0]]
    assert abs(np.corrcoef(lengths, range(len(lengths)))[0, 1]) < 0.3


def test_unknown_order() -> None:
    with pytest.raises(ValueError, match="'random'"):
        _plan("random", batch_size=2)
