"""A history of any length in constant memory, and its drawing in one line of text."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

BLOCKS = "▁▂▃▄▅▆▇█"
_FLAT = 1e-9  # a range below this is drawn as a level line


class Trace:
    """The means of equal stretches of a series: at most `limit`; where full, neighbours are merged.

    Raises:
        ValueError: where `limit` is odd or below 2.

    Example:
        >>> trace = Trace(limit=2)
        >>> for value in [1.0, 3.0, 5.0]:
        ...     trace.add(value)
        >>> trace.values
        [2.0, 5.0]
    """

    def __init__(self, limit: int = 128) -> None:
        if limit < 2 or limit % 2:
            raise ValueError(f"limit: expected an even number of at least 2; got {limit}")
        self.limit = limit
        self.stretch = 1  # values per mean
        self._means: list[float] = []
        self._clear()

    def _clear(self) -> None:
        self._sum = 0.0
        self._count = 0

    def add(self, value: float | None) -> None:
        """One more value; None (unknown, not finite) is passed over."""
        if value is None:
            return
        self._sum += value
        self._count += 1
        if self._count < self.stretch:
            return
        self._means.append(self._sum / self._count)
        self._clear()
        if len(self._means) == self.limit:
            pairs = zip(self._means[::2], self._means[1::2], strict=True)
            self._means = [(earlier + later) / 2 for earlier, later in pairs]
            self.stretch *= 2

    @property
    def values(self) -> list[float]:
        """The means, oldest first, with the stretch that is not full yet at the end."""
        if not self._count:
            return list(self._means)
        return [*self._means, self._sum / self._count]


def sparkline(values: Sequence[float], width: int) -> str:
    """`values` over at most `width` blocks; on a logarithmic scale where all are positive.

    Example:
        >>> sparkline([100, 10, 1], 3)
        '█▅▁'
    """
    if not values or width < 1:
        return ""
    blocks = min(width, len(values))
    edges = [block * len(values) // blocks for block in range(blocks + 1)]
    levels = [sum(values[first:end]) / (end - first) for first, end in pairwise(edges)]
    if min(levels) > 0:
        levels = [math.log(level) for level in levels]
    low = min(levels)
    span = max(levels) - low
    if span < _FLAT:
        return BLOCKS[3] * blocks  # neither high nor low
    drawn = ""
    for level in levels:
        height = int(len(BLOCKS) * (level - low) / span)
        drawn += BLOCKS[min(height, len(BLOCKS) - 1)]
    return drawn
