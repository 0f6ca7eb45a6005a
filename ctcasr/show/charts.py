"""Line charts and posterior rasters as SVG text, drawn without a plotting library, so that a page needs nothing else."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from typing import Any

from ctcasr.show.units import short

WIDTH, HEIGHT = 900, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 14, 22, 30
_MOST = 600  # points of a curve; of more, neighbours are averaged


@dataclass(frozen=True)
class Curve:
    """One line: (step, value) points, a CSS colour class, and how it is drawn."""

    label: str
    points: Sequence[tuple[float, float]]
    colour: str
    how: str = ""  # "", "faint", "dashed" or "dots"


@dataclass(frozen=True)
class Mark:
    """A vertical line at a step, with a word beside it."""

    step: float
    label: str
    colour: str = "green"


def chart(
    curves: Sequence[Curve],
    *,
    unit: str = "",
    log: bool = False,
    marks: Sequence[Mark] = (),
    last: float = 0.0,
) -> str:
    """An SVG of the curves over the steps 0 to `last`, with a legend; `unit` "%" takes shares of 1; empty without points."""
    curves = [c for c in curves if c.points]
    values = [y for c in curves for _, y in c.points]
    if not values:
        return ""
    scale = 100.0 if unit == "%" else 1.0
    log = log and min(values) > 0
    ticks = (
        _log_ticks(min(values), max(values))
        if log
        else _ticks(0.0 if unit == "%" else min(0.0, *values), max(values) * scale)
    )
    low, high = ticks[0], ticks[-1]
    right = max(last, max(x for c in curves for x, _ in c.points)) or 1.0

    def across(step: float) -> float:
        return _LEFT + (WIDTH - _LEFT - _RIGHT) * step / right

    def up(value: float) -> float:
        a, b, v = (math.log(low), math.log(high), math.log(value)) if log else (low, high, value)
        return HEIGHT - _BOTTOM - (HEIGHT - _TOP - _BOTTOM) * (v - a) / ((b - a) or 1.0)

    parts = []
    for tick in ticks:
        y = up(tick)
        parts.append(
            f'<path class="grid" d="M{_LEFT} {y:.1f}H{WIDTH - _RIGHT}"/>'
            f'<text class="tick" x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{_plain(tick)}{unit and " " + unit}</text>'
        )
    for tick in _ticks(0.0, right):
        if tick <= right:
            parts.append(
                f'<text class="tick" x="{across(tick):.1f}" y="{HEIGHT - 10}" text-anchor="middle">{_plain(tick)}</text>'
            )
    for curve in curves:
        points = [(across(x), up(y * scale)) for x, y in thin(curve.points)]
        path = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
        parts.append(f'<path class="line {curve.colour} {curve.how}" d="{path}"/>')
        if curve.how == "dots" or len(points) == 1:
            parts += [
                f'<circle class="{curve.colour}" cx="{x:.1f}" cy="{y:.1f}" r="3"/>'
                for x, y in points
            ]
    for mark in marks:
        x, (away, anchor) = (
            across(mark.step),
            (-6, "end") if mark.step > 0.7 * right else (6, "start"),
        )
        parts.append(
            f'<path class="mark {mark.colour}" d="M{x:.1f} {_TOP - 8}V{HEIGHT - _BOTTOM}"/>'
            f'<text class="{mark.colour}" x="{x + away:.1f}" y="{_TOP - 2}" text-anchor="{anchor}">{escape(mark.label)}</text>'
        )
    legend = "".join(
        f'<span><i class="{c.colour} {c.how}"></i>{escape(c.label)}</span>'
        for c in curves
        if c.label
    )
    shown = [
        {
            "label": c.label,
            "colour": c.colour,
            "points": [[x, y * scale] for x, y in thin(c.points)],
        }
        for c in curves
        if c.label
    ]
    data = escape(
        json.dumps(
            {"left": _LEFT, "right": WIDTH - _RIGHT, "last": right, "unit": unit, "curves": shown}
        )
    )
    return (
        f'<figure class="chart" data-curves="{data}"><svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img">{"".join(parts)}'
        f'<path class="cursor" d=""/></svg><figcaption>{legend}<output></output></figcaption></figure>'
    )


def raster(rows: Sequence[tuple[str, Sequence[float], Sequence[Sequence[Any]]]]) -> str:
    """One row per check: (name, blank posterior of every frame, spikes (frame, symbol, posterior)); dark is blank, bright is a symbol."""
    frames = max((len(blank) for _, blank, _ in rows), default=0)
    if not frames:
        return ""
    row_h = max(20, min(26, 420 // len(rows)))
    cell = (WIDTH - _LEFT - _RIGHT) / frames
    parts = []
    for index, (name, blank, spikes) in enumerate(rows):
        y = 4 + index * row_h
        parts.append(
            f'<text class="tick" x="{_LEFT - 8}" y="{y + row_h / 2 + 3:.1f}" text-anchor="end">{escape(name)}</text>'
            f'<rect class="frames" x="{_LEFT}" y="{y}" width="{cell * len(blank):.1f}" height="{row_h - 3}"/>'
        )
        parts += [
            f'<rect class="symbol" x="{_LEFT + cell * t:.1f}" y="{y}" width="{cell + 0.4:.2f}" height="{row_h - 3}" '
            f'fill-opacity="{1 - p:.2f}"/>'
            for t, p in enumerate(blank)
            if p < 0.99
        ]
        parts += [
            f'<text class="spike" x="{_LEFT + cell * (t + 0.5):.1f}" y="{y + row_h / 2 + 3:.1f}" text-anchor="middle">'
            f"{escape(str(s))}</text>"
            for t, s, *_ in spikes
        ]
    return f'<svg class="raster" viewBox="0 0 {WIDTH} {8 + len(rows) * row_h}" role="img">{"".join(parts)}</svg>'


def thin(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """At most 600 points: means of neighbours."""
    size = -(-len(points) // _MOST)
    groups = [points[i : i + size] for i in range(0, len(points), size)] if size > 1 else []
    return (
        [(sum(x for x, _ in g) / len(g), sum(y for _, y in g) / len(g)) for g in groups]
        if groups
        else list(points)
    )


def _ticks(low: float, high: float) -> list[float]:
    """Round numbers from at or below `low` to at or above `high`, about five."""
    span = (high - low) or abs(high) or 1.0
    power = 10.0 ** math.floor(math.log10(span / 5))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= span / 6)
    first, end = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [i * step for i in range(first, max(end, first + 1) + 1)]


def _log_ticks(low: float, high: float) -> list[float]:
    """1, 2, 5 times powers of ten around `low` to `high`; only the powers where that would be many."""
    powers = range(math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 2)
    steps = (1, 2, 5) if high / low < 300 else (1,)
    every = [m * 10.0**p for p in powers for m in steps]
    first = max(i for i, tick in enumerate(every) if tick <= low * 1.0001)
    last = min((i for i, tick in enumerate(every) if tick >= high * 0.9999), default=len(every) - 1)
    return every[first : max(last, first + 1) + 1]


def _plain(value: float) -> str:
    return f"{value:g}" if 1e-4 <= abs(value) < 1e5 or value == 0 else short(value)


def spans(values: Sequence[str]) -> list[tuple[int, int]]:
    """(first, last) index of every run of equal values."""
    edges = [0, *(i + 1 for i, (a, b) in enumerate(pairwise(values)) if a != b), len(values)]
    return [(a, b - 1) for a, b in pairwise(edges)] if values else []
