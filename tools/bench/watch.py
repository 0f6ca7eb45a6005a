"""What watching costs: epochs with `ctcasr.watch` and epochs without, by turns.

python tools/bench/watch.py                          # a loop of one's own
python tools/bench/watch.py --loop transformers      # its Trainer (needs transformers, accelerate)

Each pair is the same training twice, in CPU seconds; its epochs are long enough for a step to take
the milliseconds that steps of small networks take. A short pair before, which compiles, is left
out. A machine whose pace changes from one training to the next moves each pair by more than the
watch costs, so the CPU time inside the watch is told too, as a share of the rest of the same run.
"""

from __future__ import annotations

import argparse
import io
import os
import time
from collections.abc import Callable
from contextlib import nullcontext, redirect_stdout
from typing import Any

import numpy as np
import torch
from strangers import LOOPS, Fault, Run

from ctcasr.watching.care import Care
from ctcasr.watching.session import watch

DRAWS = 10_000  # of the bootstrap
WARM_UP = 30  # steps
RATES = {"transformers": 2e-3}  # that its network learns at


def main() -> None:
    """Print CPU seconds of every pair, the median of the cost and its interval."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--loop", choices=sorted(LOOPS), default="plain")
    parser.add_argument("--pairs", type=int, default=9)
    parser.add_argument("--steps", type=int, default=300, help="of each training")
    parser.add_argument("--rows", type=int, default=32, help="of a batch")
    parser.add_argument("--units", type=int, default=192, help="width of the network")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    Care.guarded = Inside.guarded  # type: ignore[method-assign, assignment]
    costs = []
    inside = []  # per cent of the rest of each watched run
    for pair in range(arguments.pairs + 1):
        watched_first = bool(pair % 2)
        seconds = {}
        before_s = Inside.spent_s
        steps = arguments.steps if pair else WARM_UP
        for is_watched in (watched_first, not watched_first):
            seconds[is_watched] = trained_s(arguments, steps, is_watched)
        cost = 100 * (seconds[True] / seconds[False] - 1)
        inside_s = Inside.spent_s - before_s
        print(f"pair {pair}: {seconds[True]:.2f} s with, {seconds[False]:.2f} s without", end="")
        print(f": {cost:+.2f} %", flush=True)
        if pair:
            costs.append(cost)
            inside.append(100 * inside_s / (seconds[True] - inside_s))
    low, high = interval(costs)
    print(
        f"watching {arguments.loop} costs {np.median(costs):+.2f} % of its CPU time: median of "
        f"{len(costs)} pairs, 95 % interval {low:+.2f} to {high:+.2f}; "
        f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
    )
    low, high = interval(inside)
    print(
        f"of it inside the watch: {np.median(inside):.2f} % of the rest of the same run, "
        f"95 % interval {low:.2f} to {high:.2f}"
    )


def interval(values: list[float]) -> tuple[float, float]:
    """The 95 % interval of the median of some values."""
    drawn = np.random.default_rng(0).choice(values, (DRAWS, len(values)))
    low, high = np.percentile(np.median(drawn, axis=1), [2.5, 97.5])
    return float(low), float(high)


class Inside(Care):
    """Counts the CPU seconds that every look of every watch takes."""

    spent_s = 0.0
    _guarded = Care.guarded

    def guarded(self, look: Callable[..., None], *args: Any) -> None:
        """As always, timed."""
        began_s = time.thread_time()
        Inside._guarded(self, look, *args)
        Inside.spent_s += time.thread_time() - began_s


def trained_s(arguments: argparse.Namespace, steps: int, is_watched: bool) -> float:
    """CPU seconds of one training."""
    fault = Fault(lr=RATES.get(arguments.loop, Fault().lr))
    run = Run(
        fault=fault,
        steps=steps,
        rows=arguments.rows,
        units=arguments.units,
        session=watch(say=None) if is_watched else nullcontext(),
    )
    began_s = time.process_time()
    with redirect_stdout(io.StringIO()):  # what a Trainer prints
        LOOPS[arguments.loop](run)
    return time.process_time() - began_s


if __name__ == "__main__":
    main()
