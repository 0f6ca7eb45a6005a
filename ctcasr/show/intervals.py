"""Error rates with their intervals, group by group, as SVG in HTML (drawn as in charts.py)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from ctcasr.show.charts import Curve, legend
from ctcasr.show.svg_axis import (
    BASELINE,
    HEIGHT,
    LEFT,
    RIGHT,
    WIDTH,
    Axis,
    grid_lines,
    rising_axis,
    svg_text,
)

_HIGHEST = 1.5  # intervals that reach beyond this error rate are cut
_LEAST_TOP = 0.05  # error rate that the axis reaches at least
_SPREAD = 0.6  # share of a group's width that its points take
_PHONE_NAMES = 6  # of more groups, every other name goes on a phone
COLOURS = ("grey", "green", "blue", "orange", "purple", "red")  # of the conditions, in order


@dataclass(frozen=True)
class Estimate:
    """A rate (share of 1) of the group with this index, and its interval.

    Example:
        >>> print(Estimate(group=0, rate=0.1, low=0.05, high=0.2))
        10.00 % [5.00, 20.00]
    """

    group: int
    rate: float
    low: float
    high: float

    @property
    def is_bounded(self) -> bool:
        """Whether the interval has ends."""
        return math.isfinite(self.low) and math.isfinite(self.high)

    def __str__(self) -> str:
        rate = f"{100 * self.rate:.2f} %"
        if not self.is_bounded:
            return rate
        low = f"{100 * self.low:.2f}"
        high = f"{100 * self.high:.2f}"
        return f"{rate} [{low}, {high}]"


@dataclass(frozen=True)
class Condition:
    """One condition over the groups."""

    label: str
    estimates: Sequence[Estimate]


def interval_chart(
    groups: Sequence[str],
    conditions: Sequence[Condition],
    *,
    title: str = "WER",
    joined: bool = True,
) -> str:
    """Groups across, the conditions of each side by side; empty without estimates.

    Points of a condition are joined where the groups have an order.
    """
    tops = [_top(estimate) for condition in conditions for estimate in condition.estimates]
    if not tops:
        return ""
    upward = rising_axis([100 * max(_LEAST_TOP, *tops)])
    group_width = (RIGHT - LEFT) / len(groups)
    parts = [grid_lines(upward, "%"), _group_names(groups, group_width)]
    curves = []
    for index, condition in enumerate(conditions):
        colour = COLOURS[index % len(COLOURS)]
        aside = group_width * _SPREAD * ((index + 0.5) / len(conditions) - 0.5)
        places = _Places(LEFT + group_width / 2 + aside, group_width, upward)
        if joined:
            parts.append(_joined(condition, places, colour))
        for estimate in condition.estimates:
            parts.append(_estimate(condition.label, estimate, places, colour))
        curves.append(Curve(condition.label, (), colour))
    return (
        f'<figure class="chart"><svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{escape(title)}">{"".join(parts)}</svg>{legend(curves)}</figure>'
    )


@dataclass(frozen=True)
class _Places:
    """Where the estimates of one condition are drawn."""

    first: float
    group_width: float
    upward: Axis

    def across(self, estimate: Estimate) -> float:
        return self.first + self.group_width * estimate.group

    def up(self, rate: float) -> float:
        return self.upward.place(100 * rate)


def _top(estimate: Estimate) -> float:
    """How high the axis must reach."""
    if estimate.is_bounded:
        return min(estimate.high, _HIGHEST)
    return min(estimate.rate, _HIGHEST)


def _group_names(groups: Sequence[str], group_width: float) -> str:
    names = []
    for index, name in enumerate(groups):
        css = "second" if index % 2 and len(groups) > _PHONE_NAMES else ""
        middle = LEFT + group_width * (index + 0.5)
        names.append(svg_text(middle, BASELINE, name, css=css))
    return "".join(names)


def _joined(condition: Condition, places: _Places, colour: str) -> str:
    points = []
    for estimate in condition.estimates:
        x = places.across(estimate)
        y = places.up(estimate.rate)
        points.append(f"{x:.1f} {y:.1f}")
    if not points:
        return ""
    line = "L".join(points)
    return f'<path class="curve faint {colour}" d="M{line}"/>'


def _estimate(label: str, estimate: Estimate, places: _Places, colour: str) -> str:
    """A point, its interval as a line, and its numbers for the pointer."""
    x = places.across(estimate)
    y = places.up(estimate.rate)
    line = ""
    if estimate.is_bounded:
        low = places.up(estimate.low)
        high = places.up(estimate.high)
        line = f'<path class="curve {colour}" d="M{x:.1f} {low:.1f}V{high:.1f}"/>'
    title = escape(f"{label}: {estimate}")
    point = f'<circle class="{colour}" cx="{x:.1f}" cy="{y:.1f}" r="4">'
    return f"{line}{point}<title>{title}</title></circle>"
