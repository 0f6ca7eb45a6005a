"""Charts: ticks that hold the data, points where they belong, thinning that keeps means."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctcasr.show.charts import HEIGHT, WIDTH, Curve, _log_ticks, _ticks, chart, spans, thin

FINITE = st.floats(-1e6, 1e6)


@given(FINITE, st.floats(1e-3, 1e6))
def test_ticks_hold_the_range_and_are_few(low: float, span: float) -> None:
    ticks = _ticks(low, low + span)
    assert (
        ticks[0] <= low + 1e-6 * span
        and ticks[-1] >= low + span * (1 - 1e-6)
        and 2 <= len(ticks) <= 14
    )


@given(st.floats(1e-9, 1e6), st.floats(1, 1e9))
def test_logarithmic_ticks_hold_the_range(low: float, ratio: float) -> None:
    ticks = _log_ticks(low, low * ratio)
    assert ticks[0] <= low * 1.001 and ticks[-1] >= low * ratio * 0.999 and len(ticks) >= 2


@given(
    st.lists(st.tuples(st.floats(0, 1e4), st.floats(-1e3, 1e5)), min_size=1, max_size=50),
    st.booleans(),
)
def test_every_point_lies_inside_the_picture(points: list[tuple[float, float]], log: bool) -> None:
    (path,) = re.findall(
        r'class="line[^"]*" d="M([^"]*)"', chart([Curve("a", points, "blue")], log=log)
    )
    for pair in path.split("L"):
        x, y = map(float, pair.split())
        assert -1 <= x <= WIDTH + 1 and -1 <= y <= HEIGHT + 1


def test_thinning_keeps_the_mean_and_few_points() -> None:
    points = [(float(i), float(i % 7)) for i in range(6000)]
    few = thin(points)
    assert len(few) <= 600 and sum(y for _, y in few) / len(few) == pytest.approx(
        sum(y for _, y in points) / len(points)
    )
    assert thin(points[:600]) == points[:600]


@given(st.lists(st.sampled_from("abc")))
def test_spans_cover_all_values_in_runs_of_equal_ones(values: list[str]) -> None:
    runs = spans(values)
    assert [v for a, b in runs for v in values[a : b + 1]] == values
    assert all(len(set(values[a : b + 1])) == 1 for a, b in runs) and all(
        values[b] != values[b + 1] for _, b in runs[:-1]
    )


def test_nothing_to_draw_is_no_chart() -> None:
    assert chart([Curve("a", [], "blue")]) == ""
