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


class CheckClock:
    """Leaves checks out that would take more than a share of the time; 1: none is left out.

    Example:
        >>> clock = CheckClock(share=0.2)
        >>> clock.checked(10.0, 40.0)           # the first one compiles, which no other does
        >>> clock.allows(41.0)
        True
        >>> clock.checked(41.0, 43.0)
        >>> clock.allows(50.0), clock.allows(51.0)
        (False, True)
    """

    def __init__(self, share: float) -> None:
        self.share = share
        self._end_s = 0.0  # of the last check
        self._checks = 0
        self._check_s: float | None = None  # the shortest but the first

    def checked(self, begun_s: float, end_s: float) -> None:
        """A check took from `begun_s` to `end_s`."""
        self._end_s = end_s
        self._checks += 1
        if self._checks > 1:
            check_s = end_s - begun_s
            self._check_s = check_s if self._check_s is None else min(check_s, self._check_s)

    def allows(self, now_s: float) -> bool:
        """Whether another check would leave training its share of the time."""
        if self.share >= 1 or self._check_s is None:
            return True
        trained_s = now_s - self._end_s
        return trained_s * self.share >= self._check_s * (1 - self.share)
