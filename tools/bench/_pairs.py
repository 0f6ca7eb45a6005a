"""What benchmarks share: interleaved runs of several ways to do one thing, and their ratios."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

DRAWS = 4000  # of the bootstrap

Run = Callable[[], float]  # does one thing once, and returns the seconds that it took


@dataclass(frozen=True)
class Ratio:
    """A ratio of medians, and the ends of its 95 % bootstrap interval."""

    middle: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.middle:.2f} ({self.low:.2f}..{self.high:.2f})"


def interleaved(ways: Mapping[str, Run], rounds: int) -> dict[str, list[float]]:
    """Seconds of each way, round by round; every other round is in reverse order."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds):
        names = list(ways)
        if number % 2:
            names.reverse()
        for name in names:
            spent_s = ways[name]()
            seconds[name].append(spent_s)
            progress = f"\rround {number + 1}: {name} {spent_s:.2f} s "
            print(progress, end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return seconds


def ratio(above: Sequence[float], below: Sequence[float], draws: int = DRAWS) -> Ratio:
    """Ratio of the medians of paired runs; its interval is over pairs."""
    runs = len(above)
    generator = np.random.default_rng(0)
    drawn_runs = generator.integers(0, runs, (draws, runs))
    medians_above = np.median(np.array(above)[drawn_runs], axis=1)
    medians_below = np.median(np.array(below)[drawn_runs], axis=1)
    ratios = medians_above / medians_below
    low, high = np.quantile(ratios, [0.025, 0.975])
    middle = statistics.median(above) / statistics.median(below)
    return Ratio(middle, float(low), float(high))
