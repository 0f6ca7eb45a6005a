"""How many threads compute, while others come and go on the same machine.

OpenMP's threads wait for each other at the end of every loop. Where one of them has no core of its
own, all wait for it, and they burn the cores while they wait: on two cores beside one busy
neighbour, two threads are half as fast as one. So threads are given up while others are at work,
and taken back when they have gone.
"""

from __future__ import annotations

import os
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass

from ctcasr.kernels.cores import CpuTimes, Times, usable_cores

_EVERY_S = 2.0  # between two looks
_TAKEN = 0.45  # of a core that others use: it is not ours (fair shares of a full core are more)
_FREE = 0.25  # of a core that others use at most while it is taken back
_SURE = 2  # looks in a row that must agree
_SPINS = 30_000  # for about 0.1 ms: longer than the gap between two loops of a step
_WAITING = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")


def settle_waiting(environment: MutableMapping[str, str] = os.environ) -> None:
    """Say how long OpenMP's threads spin before they sleep, unless the user has; numpy gets one.

    For entry points, before torch and numpy are loaded: libraries read it only then. Intel's
    and LLVM's libraries count in milliseconds. Threads are as many as there are cores of ours.

    Example:
        >>> environment = {"GOMP_SPINCOUNT": "7"}
        >>> settle_waiting(environment)
        >>> environment["GOMP_SPINCOUNT"]
        '7'
    """
    if not any(name in environment for name in _WAITING):
        environment["GOMP_SPINCOUNT"] = str(_SPINS)
        environment["KMP_BLOCKTIME"] = "1"
    # numpy's own threads (OpenBLAS) spin as well: beside a neighbour, small products are several
    # times as slow by two of them as by one.
    if not any(name in environment for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS")):
        environment["OPENBLAS_NUM_THREADS"] = "1"
    cores = usable_cores()
    if "OMP_NUM_THREADS" not in environment and cores < (os.cpu_count() or 1):
        environment["OMP_NUM_THREADS"] = str(cores)
        environment[_OURS] = "1"


_OURS = "CTCASR_CHOSE_THREADS"  # the number of threads is not the user's: it may change


@dataclass(frozen=True)
class ThreadsChanged:
    """A new number of threads, and the cores that others use."""

    threads: int
    others: float

    def __str__(self) -> str:
        threads = "1 thread" if self.threads == 1 else f"{self.threads} threads"
        return f"others use {self.others:.1f} cores of this machine: {threads} from now on"


class Governor:
    """Chooses the threads of a process between 1 and `most`, and sets them by `apply`.

    Example:
        >>> seen = [CpuTimes(2.0 * n, 4.0 * n, 2.0 * n) for n in range(3)]
        >>> chosen = []
        >>> governor = Governor(2, chosen.append, iter(seen).__next__)
        >>> for _ in range(3):
        ...     change = governor.look()
        >>> chosen, str(change)
        ([1], 'others use 1.0 cores of this machine: 1 thread from now on')
    """

    def __init__(self, most: int, apply: Callable[[int], object], times: Times = CpuTimes.now):
        self.most = most
        self.threads = most
        self._apply = apply
        self._times = times
        self._before: CpuTimes | None = None
        self._agreeing = 0
        self._wanted = most

    def look(self) -> ThreadsChanged | None:
        """Look at the machine, if it is time to; what has changed, or None."""
        if self.most == 1:
            return None
        now = self._times()
        if now is None:
            return None
        before = self._before
        if before is not None and now.clock_s - before.clock_s < _EVERY_S:
            return None
        self._before = now
        if before is None:
            return None
        others = now.others_since(before)
        wanted = self._threads_beside(others)
        if wanted == self.threads:
            self._agreeing = 0
            return None
        self._agreeing = self._agreeing + 1 if wanted == self._wanted else 1
        self._wanted = wanted
        if self._agreeing < _SURE:
            return None
        self._agreeing = 0
        self.threads = wanted
        self._apply(wanted)
        return ThreadsChanged(wanted, others)

    def _threads_beside(self, others: float) -> int:
        """Threads for a machine of which others use so many cores."""
        cores = max(self.most, os.cpu_count() or 1)
        fewer = min(self.most, max(1, int(cores - others + _TAKEN)))
        more = min(self.most, max(1, int(cores - others + _FREE)))
        if fewer < self.threads:
            return fewer
        return max(self.threads, more)


def governor_of_torch() -> Governor | None:
    """A governor of this process's torch; None where the user has chosen the number of threads."""
    import torch

    if "OMP_NUM_THREADS" in os.environ and _OURS not in os.environ:
        return None
    most = torch.get_num_threads()
    return Governor(most, torch.set_num_threads) if most > 1 else None
