"""A few of many, evenly spread, though nobody knows how many there will be."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Generic, TypeVar

Entry = TypeVar("Entry")


@dataclass
class Thinned(Generic[Entry]):
    """Entries evenly spread over all that were offered, `most` of them or fewer.

    An epoch may come sorted: its beginning is unlike the rest.

    Example:
        >>> thinned = Thinned(most=4)
        >>> for number in range(10):
        ...     if thinned.wants():
        ...         thinned.keep(number)
        >>> thinned.entries
        [0, 4, 8]
    """

    most: int
    every: int = 1  # of so many that are offered, one is kept
    offered: int = 0
    entries: list[Entry] = field(default_factory=list)

    def wants(self) -> bool:
        """Whether the next one that is offered is one to keep."""
        wanted = self.offered % self.every == 0
        self.offered += 1
        return wanted

    def keep(self, entry: Entry) -> None:
        """Keep one that was wanted; once there are too many, every second one goes."""
        self.entries.append(entry)
        if len(self.entries) > self.most:
            self.entries = self.entries[::2]
            self.every *= 2
