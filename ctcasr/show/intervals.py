"""Error rates with their intervals, group by group, as SVG in HTML (drawn as in charts.py)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from ctcasr.scoring.bootstrap import HARMS, HELPS
from ctcasr.scoring.figures import percent, points_between, rounded
from ctcasr.show.charts import Curve, legend
from ctcasr.show.svg_axis import (
    BASELINE,
    HEIGHT,
    LEFT,
    RIGHT,
    TOP,
    WIDTH,
    Axis,
    grid_lines,
    rising_axis,
    svg_text,
)

_HIGHEST = 1.5  # intervals that reach beyond this error rate are cut
_LEAST_TOP = 0.05  # error rate that the axis reaches at least
_SPREAD = 0.6  # share of a group's width that its points take
_ABOVE = 9  # pixels from the plot to the words above it
_PHONE_NAMES = 6  # of more groups, every other name goes on a phone
# Of the conditions, in order; those beyond take the same colours with hollow points.
COLOURS = ("grey", "green", "blue", "orange", "purple", "red", "teal", "brown", "pink", "olive")


@dataclass(frozen=True)
class Estimate:
    """A rate (share of 1) of the group with this index, and its interval.

    An `open` one is drawn hollow in a signed chart: what it says is not decided.

    Example:
        >>> print(Estimate(group=0, rate=0.1, low=0.05, high=0.2))
        10.00 % [5.00, 20.00]
    """

    group: int
    rate: float
    low: float
    high: float
    open: bool = False

    @property
    def is_bounded(self) -> bool:
        """Whether the interval has ends."""
        return math.isfinite(self.low) and math.isfinite(self.high)

    def __str__(self) -> str:
        rate = percent(self.rate, 2)
        if not self.is_bounded:
            return rate
        return f"{rate} [{rounded(100 * self.low, 2)}, {rounded(100 * self.high, 2)}]"

    @property
    def as_difference(self) -> str:
        """The same of a difference of rates, in points.

        Example:
            >>> Estimate(group=0, rate=-0.1, low=-0.2, high=0.0).as_difference
            '-10.00 [-20.00, 0.00] points'
        """
        return f"{points_between(self.rate, self.low, self.high)} points"


@dataclass(frozen=True)
class Condition:
    """One condition over the groups; `look` is its number where several charts share looks."""

    label: str
    estimates: Sequence[Estimate]
    look: int | None = None


@dataclass(frozen=True)
class Look:
    """A colour, and whether points are hollow: no two of twenty conditions look alike."""

    colour: str
    hollow: bool

    @staticmethod
    def of(number: int) -> Look:
        """The look of the condition with this number."""
        turn, index = divmod(number, len(COLOURS))
        return Look(COLOURS[index], turn % 2 == 1)

    def css(self, *, hollow: bool) -> str:
        """The classes of a point."""
        return f"{self.colour} hollow" if hollow else self.colour

    @property
    def line(self) -> str:
        """The style of its lines in the legend."""
        return "dashed" if self.hollow else ""


def interval_chart(
    groups: Sequence[str],
    conditions: Sequence[Condition],
    *,
    title: str = "WER",
    joined: bool = True,
    signed: bool = False,
) -> str:
    """Groups across, the conditions of each side by side; empty without estimates.

    Points of a condition are joined where the groups have an order; without intervals, which
    would cover each other, they stand at one place. `signed` charts are of
    differences: they reach below zero, where a line is drawn.
    """
    estimates = [estimate for condition in conditions for estimate in condition.estimates]
    if not estimates:
        return ""
    ends = [_LEAST_TOP, *(_top(estimate) for estimate in estimates)]
    if signed:
        ends += [_bottom(estimate) for estimate in estimates]
    upward = rising_axis([100 * min(ends), 100 * max(ends)])
    group_width = (RIGHT - LEFT) / len(groups)
    parts = [grid_lines(upward, "" if signed else "%"), _group_names(groups, group_width)]
    if signed:
        parts.append(_zero_line(upward))
    spread = _SPREAD
    if joined and all(estimate.low == estimate.high for estimate in estimates):
        spread = 0.0
    curves = []
    for index, condition in enumerate(conditions):
        look = Look.of(index if condition.look is None else condition.look)
        aside = group_width * spread * ((index + 0.5) / len(conditions) - 0.5)
        places = _Places(LEFT + group_width / 2 + aside, group_width, upward)
        if joined:
            parts.append(_joined(condition, places, look.colour))
        for estimate in condition.estimates:
            text = estimate.as_difference if signed else str(estimate)
            css = look.css(hollow=estimate.open if signed else look.hollow)
            parts.append(_estimate(f"{condition.label}: {text}", estimate, places, css))
        curves.append(Curve(condition.label, (), look.colour, look.line))
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


def _bottom(estimate: Estimate) -> float:
    """How low the axis of a signed chart must reach."""
    if estimate.is_bounded:
        return max(estimate.low, -_HIGHEST)
    return max(estimate.rate, -_HIGHEST)


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


def _zero_line(upward: Axis) -> str:
    """Where nothing is changed, and what is above and below it."""
    height = upward.place(0.0)
    sides = svg_text(LEFT, TOP - _ABOVE, f"above the line: {HARMS}; below: {HELPS}", anchor="start")
    return f'<path class="mark grey" d="M{LEFT} {height:.1f}H{RIGHT}"/>{sides}'


def _estimate(title: str, estimate: Estimate, places: _Places, css: str) -> str:
    """A point, its interval as a line, and its numbers for the pointer."""
    x = places.across(estimate)
    y = places.up(estimate.rate)
    line = ""
    if estimate.is_bounded:
        low = places.up(estimate.low)
        high = places.up(estimate.high)
        line = f'<path class="curve {css}" d="M{x:.1f} {low:.1f}V{high:.1f}"/>'
    point = f'<circle class="{css}" cx="{x:.1f}" cy="{y:.1f}" r="4">'
    return f"{line}{point}<title>{escape(title)}</title></circle>"
