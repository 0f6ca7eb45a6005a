from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctcasr.show.trace import Trace, sparkline

VALUES = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=300)


@given(VALUES, st.sampled_from([2, 4, 16]))
def test_a_trace_is_short_and_keeps_the_mean(values, limit):
    trace = Trace(limit)
    for value in values:
        trace.add(value)
    assert len(trace.values) <= limit
    whole, rest = divmod(len(values), trace.stretch)
    weights = [trace.stretch] * whole + ([rest] if rest else [])
    mean = sum(w * v for w, v in zip(weights, trace.values, strict=True)) / len(values)
    assert mean == pytest.approx(sum(values) / len(values), abs=1e-3)


def test_unknown_values_are_passed_over():
    trace = Trace()
    trace.add(None)
    assert trace.values == []


@given(VALUES, st.integers(1, 80))
def test_a_sparkline_fits(values, width):
    assert len(sparkline(values, width)) == min(width, len(values))


def test_sparklines():
    assert sparkline([1, 2, 3, 4, 5, 6, 7, 8], 0) == ""
    assert sparkline([], 5) == ""
    assert sparkline([-3, -2, -1, 0], 4) == "▁▃▆█"
    assert sparkline([100, 10, 1], 3) == "█▅▁"  # logarithmic where all are positive
    assert sparkline([1.0] * 9, 3) == "▄▄▄"


def test_limit_must_be_even():
    with pytest.raises(ValueError, match="even"):
        Trace(3)
