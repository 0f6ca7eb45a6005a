"""Line charts over the steps of a run, as SVG in HTML.

Drawn here, not by matplotlib: their colours follow the light or dark scheme of the reader, their
text grows on a phone, the page's script finds the points under the pointer, and a core install,
which has no matplotlib, writes its pages whole.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from html import escape

from ctcasr.show.svg_axis import (
    BOTTOM,
    HEIGHT,
    LEFT,
    RIGHT,
    TOP,
    WIDTH,
    Axis,
    drawable,
    grid_lines,
    rising_axis,
    step_axis,
    step_numbers,
    svg_text,
)

_MOST = 600  # points of a curve; of more, neighbours are averaged
_PER_CENT = 100.0
_TURN = 0.7  # marks further right have their word on the left

Point = tuple[float, float]


@dataclass(frozen=True)
class Curve:
    """One line: (step, value) points, a colour of page.css, and how it is drawn.

    A curve without a label is in neither the legend nor the numbers.
    """

    label: str
    points: Sequence[Point]
    colour: str
    style: str = ""  # "", "faint", "dashed" or "dots"


@dataclass(frozen=True)
class Mark:
    """A vertical line at a step, with a word beside it."""

    step: float
    label: str
    colour: str = "green"


def chart(
    curves: Sequence[Curve],
    *,
    title: str,
    unit: str = "",
    log: bool = False,
    marks: Sequence[Mark] = (),
    last: float = 0.0,
) -> str:
    """The curves over the steps 0 to `last`, with a legend and their numbers; empty without points.

    `title` is what a screen reader says; `unit` "%" takes shares of 1; `log` holds where all values
    are positive.
    """
    scale = _PER_CENT if unit == "%" else 1.0
    shown = [_scaled(curve, scale) for curve in curves if curve.points]
    if not shown:
        return ""
    values = [value for curve in shown for _, value in curve.points]
    steps = [step for curve in shown for step, _ in curve.points]
    across = step_axis(max(last, *steps))
    upward = rising_axis(values, log=log)
    parts = [grid_lines(upward, unit), step_numbers(across)]
    parts += [_line(curve, across, upward) for curve in shown]
    parts += [_mark(mark, across) for mark in marks]
    parts.append('<path class="cursor" d=""/>')
    named = [curve for curve in shown if curve.label]
    data = {
        "left": LEFT,
        "right": RIGHT,
        "last": across.high,
        "unit": unit,
        "curves": [{"label": curve.label, "points": curve.points} for curve in named],
    }
    return (
        f'<figure class="chart" tabindex="0" data-chart="{escape(json.dumps(data))}">'
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">'
        f"{''.join(parts)}</svg><output></output>{legend(named)}"
        '<details class="numbers"><summary>numbers</summary>'
        '<button type="button">copy</button><pre tabindex="0"></pre></details></figure>'
    )


def legend(curves: Sequence[Curve]) -> str:
    """The names of the curves behind pieces of their lines."""
    entries = []
    for curve in curves:
        css = f"{curve.colour} {curve.style}".strip()
        entries.append(f'<span><i class="{css}"></i>{escape(curve.label)}</span>')
    return f"<figcaption>{''.join(entries)}</figcaption>"


def thin(points: Sequence[Point]) -> list[Point]:
    """At most 600 points: means of neighbours.

    Example:
        >>> points = [(float(step), 1.0) for step in range(6000)]
        >>> len(thin(points)), thin(points)[0]
        (600, (4.5, 1.0))
    """
    size = -(-len(points) // _MOST)
    if size <= 1:
        return list(points)
    means = []
    for first in range(0, len(points), size):
        group = points[first : first + size]
        step = sum(step for step, _ in group) / len(group)
        value = sum(value for _, value in group) / len(group)
        means.append((step, value))
    return means


def _scaled(curve: Curve, scale: float) -> Curve:
    """The curve as it is drawn: few points, in the chart's unit."""
    drawn = [(step, drawable(value)) for step, value in curve.points]
    return replace(curve, points=[(step, value * scale) for step, value in thin(drawn)])


def _line(curve: Curve, across: Axis, upward: Axis) -> str:
    """A curve as a line, with dots on its points where it is drawn so, or has but one."""
    places = [(across.place(step), upward.place(value)) for step, value in curve.points]
    line = "L".join(f"{x:.1f} {y:.1f}" for x, y in places)
    css = f"curve {curve.colour} {curve.style}".strip()
    parts = [f'<path class="{css}" d="M{line}"/>']
    if curve.style == "dots" or len(places) == 1:
        for x, y in places:
            parts.append(f'<circle class="{curve.colour}" cx="{x:.1f}" cy="{y:.1f}" r="2.6"/>')
    return "".join(parts)


def _mark(mark: Mark, across: Axis) -> str:
    """A line from top to bottom, and its word on the side where there is room."""
    x = across.place(mark.step)
    turned = mark.step > _TURN * across.high
    anchor = "end" if turned else "start"
    beside = x - 6 if turned else x + 6
    line = f'<path class="mark {mark.colour}" d="M{x:.1f} {TOP - 10}V{BOTTOM}"/>'
    word = svg_text(beside, TOP - 4, mark.label, anchor=anchor, css=mark.colour)
    return line + word
