"""Axes: round ticks that hold the data, and places between the ends, whatever the numbers are."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ctcasr.show.svg_axis import (
    BOTTOM,
    LEFT,
    RIGHT,
    TOP,
    drawable,
    log_ticks,
    rising_axis,
    round_ticks,
    step_axis,
    tick_text,
)

FINITE = st.floats(allow_nan=False, allow_infinity=False)


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6))
def test_ticks_hold_the_range_and_are_few(low: float, span: float) -> None:
    ticks = round_ticks(low, low + span)
    assert ticks[0] <= low + 1e-6 * span
    assert ticks[-1] >= low + span * (1 - 1e-6)
    assert 2 <= len(ticks) <= 14


@given(st.floats(1e-9, 1e6), st.floats(1, 1e9))
def test_logarithmic_ticks_hold_the_range(low: float, ratio: float) -> None:
    ticks = log_ticks(low, low * ratio)
    assert ticks[0] <= low * 1.001
    assert ticks[-1] >= low * ratio * 0.999
    assert len(ticks) >= 2


@given(st.lists(FINITE, min_size=1, max_size=20), st.booleans())
@example([5e-324], False)
@example([5e-324], True)
@example([0.0, 5e-324], False)
@example([1e308, -1e308], False)
@example([1e-300, 1e300], True)
@example([1e5, 1e5 + 1e-9], False)
def test_every_finite_number_has_a_place(values: list[float], log: bool) -> None:
    drawn = [drawable(value) for value in values]
    axis = rising_axis(drawn, log=log)
    assert all(TOP - 0.01 <= axis.place(value) <= BOTTOM + 0.01 for value in drawn)
    assert axis.place(max(drawn)) <= axis.place(min(drawn)), "more is higher"


@given(st.floats(0, 1e12))
def test_steps_run_from_left_to_right(last: float) -> None:
    axis = step_axis(last)
    assert axis.place(0) == LEFT
    assert all(LEFT <= axis.place(tick) <= RIGHT for tick in axis.ticks)


def test_a_logarithmic_axis_is_one_only_above_zero() -> None:
    assert rising_axis([1.0, 100.0], log=True).log
    assert not rising_axis([0.0, 100.0], log=True).log
    middle = rising_axis([1.0, 100.0], log=True).place(10.0)
    assert middle == pytest.approx((TOP + BOTTOM) / 2)


def test_ticks_are_written_short() -> None:
    assert [tick_text(value) for value in (0, 0.5, 1e-5, 250000)] == ["0", "0.5", "1e-05", "250000"]
    assert tick_text(20, "%") == "20 %"
