"""Where a run stands: what a checkpoint holds of it comes back."""

from __future__ import annotations

import math

import pytest
import torch

from ctcasr.train.state import TrainState, rng_state, set_rng_state


def test_it_comes_back_from_plain_data() -> None:
    state = TrainState(step=7, epoch=2, best=[0.5, 1.0], waits=[0, 1], seconds=3.5)
    again = TrainState()
    again.restore(state.as_dict())
    assert again == state and again.waits is not state.waits


def test_what_an_older_version_did_not_write_keeps_a_sensible_value() -> None:
    state = TrainState(epochs=9)
    state.restore({"step": 3, "seconds": 60.0, "of_a_newer_version": 1})
    assert (state.step, state.epochs, state.epoch_start_s) == (3, 9, 60.0)


@pytest.mark.parametrize(
    ("checks", "waits"),
    [([], []), ([5.0, 4.0, 4.0, 6.0, 3.0], [0, 0, 1, 2, 0]), ([math.nan, 1.0], [1, 0])],
)
def test_the_values_of_checks_that_an_older_version_wrote_tell_how_long_none_was_better(
    checks: list[float], waits: list[int]
) -> None:
    state = TrainState()
    state.restore({"step": 3, "checks": checks})
    assert state.waits == waits


@pytest.mark.parametrize(
    ("best", "key", "better"),
    [
        (None, (1.0,), True),
        (None, (math.nan,), False),
        ([1.0], (1.0,), False),
        ([1.0, 2.0], (1.0, 1.9), True),
        ([1.0, 2.0], (0.9, math.nan), False),
        ([1.0, 2.0], (math.inf, 2.5), False),
        (None, (0.9, math.inf), True),
    ],
)
def test_lower_is_better_and_not_a_number_never_is(
    best: list[float] | None, key: tuple[float, ...], better: bool
) -> None:
    state = TrainState(best=best, since_best=4)
    assert state.note_check(key) is better
    assert state.since_best == (0 if better else 5)
    assert state.best == (list(key) if better else best)
    assert state.waits == [state.since_best]


@pytest.mark.parametrize("best", [None, [1.0, 2.0]])
@pytest.mark.parametrize("key", [(math.inf,), (math.inf, math.inf)])
def test_a_check_that_has_scored_nothing_is_neither_the_best_nor_counted(
    best: list[float] | None, key: tuple[float, ...]
) -> None:
    state = TrainState(best=best, since_best=4)
    assert not state.note_check(key)
    assert state == TrainState(best=best, since_best=4)


def test_the_next_check_is_the_best_where_the_best_is_forgotten_and_past_waits_stay() -> None:
    state = TrainState(best=[0.1], since_best=2, waits=[0, 1, 2])
    state.forget_best()
    assert state.note_check((0.9,))
    assert state.waits == [0, 1, 2, 0]


def test_generators_go_on_where_they_were() -> None:
    state = rng_state()
    first = torch.rand(3)
    set_rng_state(state)
    assert torch.equal(torch.rand(3), first)
