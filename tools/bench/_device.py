"""What the parts of device_day.py share: the device, its clock, and where things are."""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

ON_DEVICE = torch.cuda.is_available()
DEVICE = "cuda" if ON_DEVICE else "cpu"
DATA = Path(os.environ.get("DAY_DATA", "../shared/data"))
OUT = Path(os.environ.get("OUT", tempfile.gettempdir()))
# Left by a trial of the kernels that failed: what trains then takes torch's loss.
KERNELS_ARE_WRONG = Path(tempfile.gettempdir()) / "device_day_kernels_are_wrong"
WARM_UP = 3


def wait() -> None:
    """Until the device has done everything."""
    if ON_DEVICE:
        torch.cuda.synchronize()


def median_us(run: Callable[[], Any], repeats: int = 15) -> float:
    """Median microseconds of a call: from event to event, on a CPU by the clock."""
    for _ in range(WARM_UP):
        run()
    clock = _event_us if ON_DEVICE else _clock_us
    return statistics.median(clock(run) for _ in range(repeats))


def _event_us(run: Callable[[], Any]) -> float:
    start = torch.cuda.Event(enable_timing=True)
    end = torch.cuda.Event(enable_timing=True)
    wait()
    start.record()
    run()
    end.record()
    wait()
    return 1e3 * start.elapsed_time(end)


def _clock_us(run: Callable[[], Any]) -> float:
    started = time.perf_counter()
    run()
    return 1e6 * (time.perf_counter() - started)


def named(figures: Mapping[str, float]) -> str:
    """Figures in a line, each with its name.

    Example:
        >>> named({"ms a step": 12.345678, "GiB": 2})
        'ms a step 12.35, GiB 2'
    """
    words = []
    for name, figure in figures.items():
        words.append(f"{name} {figure:.4g}")
    return ", ".join(words)


def profiler() -> torch.profiler.profile:
    """Of the device's work, and of the CPU's where there is none."""
    activity = torch.profiler.ProfilerActivity
    return torch.profiler.profile(activities=[activity.CUDA if ON_DEVICE else activity.CPU])


def work_us(event: Any) -> float:
    """Microseconds of an event of the profiler, those of its parts left out."""
    spent_us = event.self_device_time_total if ON_DEVICE else event.self_cpu_time_total
    return float(spent_us)
