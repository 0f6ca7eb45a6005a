"""How many cores are ours, and how many of them others are using: Linux tells, others do not."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

_QUOTA = Path("/sys/fs/cgroup/cpu.max")  # control groups, version 2
_QUOTA_BEFORE = Path("/sys/fs/cgroup/cpu/cpu.cfs_quota_us")  # version 1, with the period beside it
_PERIOD_BEFORE = Path("/sys/fs/cgroup/cpu/cpu.cfs_period_us")
_STAT = Path("/proc/stat")
_IDLE = (3, 4)  # columns of a line of /proc/stat: idle, waiting for a disk
_GUESTS = 8  # columns from here on are in the first ones already


def usable_cores() -> int:
    """Cores that this process may use: by affinity, and by the quota of a container.

    Example:
        >>> 1 <= usable_cores() <= (os.cpu_count() or 1)
        True
    """
    cores = os.cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):  # not on macOS and Windows
        cores = len(os.sched_getaffinity(0))
    quota = quota_of(_read(_QUOTA)) or _quota_before()
    return cores if quota is None else max(1, min(cores, math.ceil(quota)))


def quota_of(text: str) -> float | None:
    """Cores in "quota period" as control groups have it; None for no limit.

    Example:
        >>> quota_of("150000 100000"), quota_of("max 100000"), quota_of("")
        (1.5, None, None)
    """
    quota, _, period = text.partition(" ")
    if not quota.isdigit() or not period.strip().isdigit():
        return None
    return int(quota) / int(period)


def _quota_before() -> float | None:
    return quota_of(f"{_read(_QUOTA_BEFORE).strip()} {_read(_PERIOD_BEFORE).strip()}")


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii")
    except OSError:
        return ""


@dataclass(frozen=True)
class CpuTimes:
    """Seconds of processor time so far: of the whole machine, and of this process."""

    clock_s: float
    machine_s: float
    own_s: float

    @staticmethod
    def now() -> CpuTimes | None:
        """None where the system does not tell."""
        busy = busy_ticks(_read(_STAT))
        if busy is None or not hasattr(os, "sysconf"):
            return None
        machine_s = busy / os.sysconf("SC_CLK_TCK")
        return CpuTimes(time.monotonic(), machine_s, time.process_time())

    def others_since(self, before: CpuTimes) -> float:
        """Cores that others have used since, on average.

        Example:
            >>> CpuTimes(12.0, 107.0, 53.0).others_since(CpuTimes(10.0, 104.0, 52.0))
            1.0
        """
        passed_s = self.clock_s - before.clock_s
        if passed_s <= 0:
            return 0.0
        others_s = (self.machine_s - before.machine_s) - (self.own_s - before.own_s)
        return max(0.0, others_s / passed_s)


def busy_ticks(stat: str) -> int | None:
    """Ticks in which any core of the machine was busy, of /proc/stat; None for another text.

    Example:
        >>> busy_ticks("cpu  10 0 5 900 7 1 0 2 0 0")
        18
    """
    columns = stat.partition("\n")[0].split()
    if len(columns) < _GUESTS or columns[0] != "cpu":
        return None
    ticks = [int(column) for column in columns[1 : 1 + _GUESTS]]
    return sum(ticks) - sum(ticks[column] for column in _IDLE)


Times = Callable[[], CpuTimes | None]
"""What tells the processor times: `CpuTimes.now`, or a test."""
