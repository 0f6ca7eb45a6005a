"""Wall time of a run over all its sessions."""

from __future__ import annotations

import time


class Clock:
    """Seconds trained; goes on from what earlier sessions took."""

    def __init__(self) -> None:
        self._zero: float | None = None
        self._save = time.perf_counter()

    def start(self, seconds: float) -> None:
        """Begin to count at `seconds` (once; later calls change nothing)."""
        if self._zero is None:
            self._zero = time.perf_counter() - seconds
            self._save = time.perf_counter()

    def now(self) -> float:
        """Seconds trained so far."""
        return 0.0 if self._zero is None else time.perf_counter() - self._zero

    def saved(self) -> None:
        """A checkpoint has just been written."""
        self._save = time.perf_counter()

    def since_save(self) -> float:
        """Seconds since the last checkpoint."""
        return time.perf_counter() - self._save
