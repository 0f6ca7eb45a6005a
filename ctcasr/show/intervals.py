"""Error rates with their intervals, group by group, as SVG in HTML (drawn as in charts.py)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from ctcasr.show.charts import Curve, legend
from ctcasr.show.svg_axis import HEIGHT, LEFT, RIGHT, WIDTH, Axis, grid_lines, rising_axis

_HIGHEST = 1.5  # intervals that reach beyond this error rate are cut
_LEAST_TOP = 0.05  # error rate that the axis reaches at least
_SPREAD = 0.6  # share of a group's width that its points take
_PHONE_NAMES = 6  # of more groups, every other name goes on a phone
COLOURS = ("grey", "green", "blue", "orange", "purple", "red")  # of the conditions, in order


@dataclass(frozen=True)
class Estimate:
    """A rate (share of 1) of the group with this index, and its interval."""

    group: int
    rate: float
    low: float
    high: float


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
    high = estimate.high if math.isfinite(estimate.high) else estimate.rate
    return min(high, _HIGHEST)


def _group_names(groups: Sequence[str], group_width: float) -> str:
    names = []
    for index, name in enumerate(groups):
        css = ' class="second"' if index % 2 and len(groups) > _PHONE_NAMES else ""
        x = LEFT + group_width * (index + 0.5)
        names.append(
            f'<text{css} x="{x:.1f}" y="{HEIGHT - 9}" text-anchor="middle">{escape(name)}</text>'
        )
    return "".join(names)


def _joined(condition: Condition, places: _Places, colour: str) -> str:
    points = [
        f"{places.across(estimate):.1f} {places.up(estimate.rate):.1f}"
        for estimate in condition.estimates
    ]
    if not points:
        return ""
    return f'<path class="curve faint {colour}" d="M{"L".join(points)}"/>'


def _estimate(label: str, estimate: Estimate, places: _Places, colour: str) -> str:
    """A point, its interval as a line, and its numbers for the pointer."""
    x = places.across(estimate)
    numbers = f"{100 * estimate.rate:.2f} %"
    parts = []
    if math.isfinite(estimate.low) and math.isfinite(estimate.high):
        numbers += f" [{100 * estimate.low:.2f}, {100 * estimate.high:.2f}]"
        ends = f"{places.up(estimate.low):.1f}V{places.up(estimate.high):.1f}"
        parts.append(f'<path class="curve {colour}" d="M{x:.1f} {ends}"/>')
    parts.append(
        f'<circle class="{colour}" cx="{x:.1f}" cy="{places.up(estimate.rate):.1f}" r="4">'
        f"<title>{escape(f'{label}: {numbers}')}</title></circle>"
    )
    return "".join(parts)
