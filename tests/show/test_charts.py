"""Charts: points where they belong, numbers for the script, thinning that keeps means."""

from __future__ import annotations

import json
import re
from html import unescape

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ctcasr.show.charts import Curve, Mark, chart, thin
from ctcasr.show.svg_axis import HEIGHT, WIDTH

Points = list[tuple[float, float]]


def data_of(html: str) -> dict[str, object]:
    (data,) = re.findall(r'data-chart="([^"]*)"', html)
    return dict(json.loads(unescape(data)))


@given(
    st.lists(st.tuples(st.floats(0, 1e4), st.floats(-1e3, 1e5)), min_size=1, max_size=50),
    st.booleans(),
)
@example([(0.0, 5e-324)], False)
@example([(5e-324, 1.0)], True)
@example([(1.0, 1e308), (2.0, -1e308)], False)
def test_every_point_lies_inside_the_picture(points: Points, log: bool) -> None:
    html = chart([Curve("a", points, "blue")], title="t", log=log)
    (path,) = re.findall(r'class="curve[^"]*" d="M([^"]*)"', html)
    for pair in path.split("L"):
        x, y = map(float, pair.split())
        assert -1 <= x <= WIDTH + 1 and -1 <= y <= HEIGHT + 1


def test_the_numbers_are_those_of_the_curves_with_a_name() -> None:
    curves = [Curve("a <b>", [(1, 0.5), (2, 0.25)], "blue"), Curve("", [(9, 1.0)], "grey", "faint")]
    html = chart(curves, title="t", unit="%")
    data = data_of(html)
    assert data["curves"] == [{"label": "a <b>", "points": [[1, 50.0], [2, 25.0]]}]
    assert data["last"] == 9 and data["unit"] == "%"
    assert "<b>" not in html and "a &lt;b&gt;" in html


def test_a_mark_has_its_word_on_the_side_where_there_is_room() -> None:
    curves = [Curve("a", [(0, 1.0), (100, 2.0)], "blue")]
    for step, anchor in ((10, "start"), (90, "end")):
        html = chart(curves, title="t", marks=[Mark(step, "released")])
        assert re.search(rf'text-anchor="{anchor}">released', html)


def test_a_single_point_is_seen() -> None:
    assert "<circle" in chart([Curve("a", [(3, 1.0)], "blue")], title="t")


def test_thinning_keeps_the_mean_and_few_points() -> None:
    points = [(float(i), float(i % 7)) for i in range(6000)]
    few = thin(points)
    mean = sum(y for _, y in points) / len(points)
    assert len(few) <= 600
    assert sum(y for _, y in few) / len(few) == pytest.approx(mean)
    assert thin(points[:600]) == points[:600]


def test_nothing_to_draw_is_no_chart() -> None:
    assert chart([Curve("a", [], "blue")], title="t") == ""
