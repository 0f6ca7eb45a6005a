"""Axes of the charts in pages: round ticks, and where a value lies between the ends."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

WIDTH = 720
HEIGHT = 280
LEFT = 72
RIGHT = WIDTH - 12
TOP = 24
BOTTOM = HEIGHT - 30
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
        if self.log:
            return self._between(math.log(self.low), math.log(value), math.log(self.high))
        return self._between(self.low, value, self.high)

    def _between(self, low: float, value: float, high: float) -> float:
        return self.start + (self.end - self.start) * (value - low) / (high - low)


def drawable(value: float) -> float:
    """`value` where arithmetic with it works: neither so small nor so large that it fails."""
    if abs(value) < _TINY:
        return 0.0
    return min(max(value, -_HUGE), _HUGE)


def rising_axis(values: Sequence[float], *, log: bool = False) -> Axis:
    """The vertical axis of a chart that holds `values`, and 0 unless it is logarithmic.

    Logarithmic only if every value is positive.
    """
    low = min(values)
    high = max(values)
    if log and low > 0:
        ticks = log_ticks(low, high)
        return Axis(ticks[0], ticks[-1], BOTTOM, TOP, ticks, log=True)
    ticks = round_ticks(min(0.0, low), max(0.0, high))
    return Axis(ticks[0], ticks[-1], BOTTOM, TOP, ticks)


def step_axis(last: float) -> Axis:
    """The horizontal axis of the steps 0 to `last`."""
    last = drawable(last) or 1.0
    ticks = [tick for tick in round_ticks(0.0, last) if tick <= last]
    return Axis(0.0, last, LEFT, RIGHT, ticks)


def round_ticks(low: float, high: float) -> list[float]:
    """Round numbers from at or below `low` to at or above `high`, about five.

    Example:
        >>> round_ticks(0, 93)
        [0.0, 20.0, 40.0, 60.0, 80.0, 100.0]
    """
    span = high - low
    if span < _TINY:
        span = drawable(abs(high)) or 1.0
    power = 10.0 ** math.floor(math.log10(span / _ABOUT))
    step = 10 * power
    for factor in (1, 2, 5):
        if factor * power >= span / (_ABOUT + 1):
            step = factor * power
            break
    first = math.floor(low / step + _NEAR)
    last = max(math.ceil(high / step - _NEAR), first + 1)
    return [index * step for index in range(first, last + 1)]


def log_ticks(low: float, high: float) -> list[float]:
    """1, 2 and 5 times powers of ten around `low` to `high`; only the powers where that is many.

    Example:
        >>> log_ticks(3, 40)
        [2.0, 5.0, 10.0, 20.0, 50.0]
    """
    factors = (1, 2, 5) if high / low < _MANY else (1,)
    first_power = math.floor(math.log10(low)) - 1
    last_power = math.ceil(math.log10(high)) + 1
    ticks = []
    for power in range(first_power, last_power + 1):
        ticks += [factor * 10.0**power for factor in factors]
    first = max(index for index, tick in enumerate(ticks) if tick <= low * (1 + _NEAR))
    last = min(index for index, tick in enumerate(ticks) if tick >= high * (1 - _NEAR))
    return ticks[first : max(last, first + 1) + 1]


def tick_text(value: float, unit: str = "") -> str:
    """A tick as it is written beside the axis."""
    text = f"{value:g}"
    return f"{text} {unit}" if unit else text


def grid_lines(axis: Axis, unit: str = "") -> str:
    """Lines across at the ticks of a vertical axis, each with its number."""
    parts = []
    for tick in axis.ticks:
        height = axis.place(tick)
        parts.append(
            f'<path class="grid" d="M{LEFT} {height:.1f}H{RIGHT}"/>'
            f'<text x="{LEFT - TICK_GAP}" y="{height + 4:.1f}" text-anchor="end">'
            f"{tick_text(tick, unit)}</text>"
        )
    return "".join(parts)


def step_numbers(axis: Axis) -> str:
    """The steps below a chart; on a phone every other one goes."""
    parts = []
    for index, tick in enumerate(axis.ticks):
        css = ' class="second"' if index % 2 else ""
        parts.append(
            f'<text{css} x="{axis.place(tick):.1f}" y="{HEIGHT - 9}" text-anchor="middle">'
            f"{tick_text(tick)}</text>"
        )
    return "".join(parts)
