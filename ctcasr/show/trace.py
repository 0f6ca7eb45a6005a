"""A history of any length in constant memory, and its drawing in one line of text."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

_BLOCKS = "▁▂▃▄▅▆▇█"


class Trace:
    """The means of equal stretches of a series: at most `limit`; where they are full, neighbours are merged."""

    def __init__(self, limit: int = 128) -> None:
        if limit < 2 or limit % 2:
            raise ValueError(f"limit: expected an even number of at least 2; got {limit}")
        self.limit = limit
        self.stretch = 1  # values per mean
        self._means: list[float] = []
        self._sum, self._n = 0.0, 0  # the stretch that is being filled

    def add(self, value: float | None) -> None:
        """One more value; None (unknown, not finite) is passed over."""
        if value is None:
            return
        self._sum, self._n = self._sum + value, self._n + 1
        if self._n < self.stretch:
            return
        self._means.append(self._sum / self._n)
        self._sum, self._n = 0.0, 0
        if len(self._means) == self.limit:
            self._means = [
                (a + b) / 2 for a, b in zip(self._means[::2], self._means[1::2], strict=True)
            ]
            self.stretch *= 2

    @property
    def values(self) -> list[float]:
        """The means, oldest first, with the stretch that is not full yet at the end."""
        return self._means + ([self._sum / self._n] if self._n else [])


def sparkline(values: Sequence[float], width: int) -> str:
    """`values` over at most `width` blocks, the whole history; on a logarithmic scale where all are positive."""
    if not values or width < 1:
        return ""
    n = min(width, len(values))
    edges = [i * len(values) // n for i in range(n + 1)]
    means = [sum(values[a:b]) / (b - a) for a, b in pairwise(edges)]
    if min(means) > 0:
        means = [math.log(mean) for mean in means]
    low, high = min(means), max(means)
    if high - low < 1e-9:
        return _BLOCKS[3] * n  # flat: neither high nor low
    return "".join(_BLOCKS[min(7, int(8 * (mean - low) / (high - low)))] for mean in means)
