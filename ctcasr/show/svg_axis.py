"""Axes of the charts in pages: round ticks, and where a value lies between the ends."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH = 720
HEIGHT = 280
LEFT = 72
RIGHT = WIDTH - 12
TOP = 24
BOTTOM = HEIGHT - 30
BASELINE = HEIGHT - 9  # of what is written below the chart
TICK_GAP = 7  # between a tick's text and the axis

_HUGE = 1e300  # numbers beyond are drawn here: their differences overflow
_TINY = 1e-300  # numbers below are nothing: their logarithms and quotients do not exist
_ABOUT = 5  # ticks
_MANY = 300  # from this ratio of the ends on, a logarithmic axis has powers of ten only
_NEAR = 1e-9  # of a step: what lies so near a tick lies on it


@dataclass(frozen=True)
class Axis:
    """Values from `low` to `high` over the pixels from `start` to `end`."""

    low: float
    high: float
    start: float
    end: float
    ticks: Sequence[float]
    log: bool = False

    def place(self, value: float) -> float:
        """The pixel of a value; values outside lie at the nearer end."""
        value = min(max(value, self.low), self.high)
        low = self.low
        high = self.high
        if self.log:
            low = math.log(low)
            high = math.log(high)
            value = math.log(value)
        share = (value - low) / (high - low)
        length = self.end - self.start
        return self.start + length * share


def drawable(value: float) -> float:
    """`value` where arithmetic with it works: neither so small nor so large that it fails.

    Example:
        >>> drawable(3.0), drawable(5e-324), drawable(-1e308)
        (3.0, 0.0, -1e+300)
    """
    if abs(value) < _TINY:
        return 0.0
    return min(max(value, -_HUGE), _HUGE)


def rising_axis(values: Sequence[float], *, log: bool = False) -> Axis:
    """The vertical axis of a chart that holds `values`, and 0 unless it is logarithmic.

    Logarithmic only if every value is positive.
    """
    low = min(values)
    high = max(values)
    log = log and low > 0
    if log:
        ticks = log_ticks(low, high)
    else:
        ticks = round_ticks(min(0.0, low), max(0.0, high))
    return Axis(
        low=ticks[0],
        high=ticks[-1],
        start=BOTTOM,
        end=TOP,
        ticks=ticks,
        log=log,
    )


def step_axis(last: float) -> Axis:
    """The horizontal axis of the steps 0 to `last`."""
    last = drawable(last) or 1.0
    ticks = [tick for tick in round_ticks(0.0, last) if tick <= last]
    return Axis(
        low=0.0,
        high=last,
        start=LEFT,
        end=RIGHT,
        ticks=ticks,
    )


def round_ticks(low: float, high: float) -> list[float]:
    """Round numbers from at or below `low` to at or above `high`, about five.

    Example:
        >>> round_ticks(0, 93)
        [0.0, 20.0, 40.0, 60.0, 80.0, 100.0]
    """
    span = high - low
    if span < _TINY:
        span = drawable(abs(high)) or 1.0
    exponent = math.floor(math.log10(span / _ABOUT))
    power = 10.0**exponent
    narrowest = span / (_ABOUT + 1)
    step = 10 * power
    for factor in (1, 2, 5):
        if factor * power >= narrowest:
            step = factor * power
            break
    first = math.floor(low / step + _NEAR)
    last = math.ceil(high / step - _NEAR)
    last = max(last, first + 1)
    return [index * step for index in range(first, last + 1)]


def log_ticks(low: float, high: float) -> list[float]:
    """1, 2 and 5 times powers of ten around `low` to `high`; only the powers where that is many.

    Example:
        >>> log_ticks(3, 40)
        [2.0, 5.0, 10.0, 20.0, 50.0]
    """
    factors = [1]
    if high / low < _MANY:
        factors = [1, 2, 5]
    first_power = math.floor(math.log10(low)) - 1
    last_power = math.ceil(math.log10(high)) + 1
    candidates = []
    for power in range(first_power, last_power + 1):
        for factor in factors:
            candidates.append(factor * 10.0**power)
    below = [tick for tick in candidates if tick <= low * (1 + _NEAR)]
    above = [tick for tick in candidates if tick >= high * (1 - _NEAR)]
    first = len(below) - 1
    last = len(candidates) - len(above)
    last = max(last, first + 1)
    return candidates[first : last + 1]


def tick_text(value: float, unit: str = "") -> str:
    """A tick as it is written beside the axis.

    Example:
        >>> tick_text(20, "%"), tick_text(0.00001)
        ('20 %', '1e-05')
    """
    text = f"{value:g}"
    if unit:
        text += f" {unit}"
    return text


def grid_lines(axis: Axis, unit: str = "") -> str:
    """Lines across at the ticks of a vertical axis, each with its number."""
    parts = []
    for tick in axis.ticks:
        height = axis.place(tick)
        number = tick_text(tick, unit)
        parts.append(f'<path class="grid" d="M{LEFT} {height:.1f}H{RIGHT}"/>')
        parts.append(svg_text(LEFT - TICK_GAP, height + 4, number, anchor="end"))
    return "".join(parts)


def step_numbers(axis: Axis) -> str:
    """The steps below a chart; on a phone every other one goes."""
    parts = []
    for index, tick in enumerate(axis.ticks):
        css = "second" if index % 2 else ""
        place = axis.place(tick)
        number = tick_text(tick)
        parts.append(svg_text(place, BASELINE, number if index else f"step {number}", css=css))
    return "".join(parts)


def svg_text(x: float, y: float, text: str, *, anchor: str = "middle", css: str = "") -> str:
    """Text at a place; `anchor` is "start", "middle" or "end"."""
    name = f' class="{css}"' if css else ""
    place = f'x="{x:.1f}" y="{y:.1f}"'
    return f'<text{name} {place} text-anchor="{anchor}">{escape(text)}</text>'
