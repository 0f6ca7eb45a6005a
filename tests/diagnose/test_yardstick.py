"""The deaf model of a run: fitted once, the same after a stop."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from ctcasr.batch import Batch, Utterance
from ctcasr.diagnose.yardstick import DeafYardstick, finite_mean
from ctcasr.seq import Seq

FRAMES = (9, 8, 7)


@pytest.fixture
def batch() -> Callable[[int], Batch]:
    def make(number: int) -> Batch:
        names = [f"u{number}-{row}.wav" for row in range(3)]
        return Batch(
            tuple(Utterance(Path(name)) for name in names),
            Seq.stack([torch.zeros(8)] * 3, 16000),
            torch.tensor([1, 2, 1, 3, 1, 2, 2]),
            (2, 2, 3),
        )

    return make


def test_without_targets_there_is_no_yardstick(batch: Callable[[int], Batch]) -> None:
    assert math.isnan(DeafYardstick(4, 0).nll(batch(0), FRAMES))


def test_it_is_fitted_once_and_then_stays(batch: Callable[[int], Batch]) -> None:
    yardstick = DeafYardstick(4, 0)
    yardstick.remember(batch(0), FRAMES)
    first = yardstick.nll(batch(0), FRAMES)
    model = yardstick.model
    yardstick.remember(batch(1), FRAMES)
    assert yardstick.nll(batch(0), FRAMES) == first and yardstick.model is model
    assert 0 < first < max(FRAMES) * math.log(4)


@pytest.mark.parametrize("asked_before", [False, True])
def test_a_stop_changes_nothing(batch: Callable[[int], Batch], asked_before: bool) -> None:
    yardstick = DeafYardstick(4, 0)
    yardstick.remember(batch(0), FRAMES)
    if asked_before:
        yardstick.nll(batch(0), FRAMES)
    again = DeafYardstick(4, 0)
    again.load_state_dict(yardstick.state_dict())
    for one in (yardstick, again):
        one.remember(batch(0), FRAMES)  # seen already
        one.remember(batch(1), FRAMES)
    assert again.nll(batch(2), FRAMES) == yardstick.nll(batch(2), FRAMES)


def test_rows_without_a_path_are_left_out_of_a_mean() -> None:
    assert finite_mean(torch.tensor([1.0, math.inf, 3.0])) == 2.0
    assert math.isnan(finite_mean(torch.tensor([math.inf])))
