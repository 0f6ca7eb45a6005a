"""What benchmarks share: interleaved runs of several ways to do one thing, and ratios with their intervals."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable, Mapping, Sequence

import numpy as np


def interleaved(ways: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """What each way returns (seconds), in so many rounds; every round runs all of them, every other round in reverse order."""
    found: dict[str, list[float]] = {name: [] for name in ways}
    for index in range(rounds):
        for name in list(ways)[:: -1 if index % 2 else 1]:
            found[name].append(ways[name]())
            print(
                f"\rround {index + 1}: {name} {found[name][-1]:.2f} s ",
                end="",
                file=sys.stderr,
                flush=True,
            )
    print(file=sys.stderr)
    return found


def ratio(
    above: Sequence[float], below: Sequence[float], draws: int = 4000
) -> tuple[float, float, float]:
    """Ratio of the medians of paired runs, and the ends of its 95 % bootstrap interval over pairs."""
    pairs = np.array([above, below])
    chosen = np.random.default_rng(0).integers(0, pairs.shape[1], (draws, pairs.shape[1]))
    a, b = np.median(pairs[:, chosen], axis=2)
    low, high = np.quantile(a / b, [0.025, 0.975])
    return statistics.median(above) / statistics.median(below), float(low), float(high)


def spelt(found: tuple[float, float, float]) -> str:
    """ "1.52 (1.44..1.60)"."""
    return f"{found[0]:.2f} ({found[1]:.2f}..{found[2]:.2f})"
