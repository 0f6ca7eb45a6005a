"""What watching costs: epochs with `ctcasr.watch` and epochs without, by turns.

python tools/bench/watch.py                          # a loop of one's own
python tools/bench/watch.py --loop transformers      # its Trainer (needs transformers, accelerate)

Each pair is the same training twice, in CPU seconds; its epochs are long enough for a step to take
the milliseconds that steps of small networks take. A short pair before, which compiles, is left
out.
"""

from __future__ import annotations

import argparse
import io
import os
import time
from contextlib import nullcontext, redirect_stdout

import numpy as np
import torch
from strangers import LOOPS, Fault, Run

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
    costs = []
    for pair in range(arguments.pairs + 1):
        watched_first = bool(pair % 2)
        seconds = {}
        steps = arguments.steps if pair else WARM_UP
        for is_watched in (watched_first, not watched_first):
            seconds[is_watched] = trained_s(arguments, steps, is_watched)
        cost = 100 * (seconds[True] / seconds[False] - 1)
        print(f"pair {pair}: {seconds[True]:.2f} s with, {seconds[False]:.2f} s without", end="")
        print(f": {cost:+.2f} %", flush=True)
        if pair:
            costs.append(cost)
    drawn = np.random.default_rng(0).choice(costs, (DRAWS, len(costs)))
    low, high = np.percentile(np.median(drawn, axis=1), [2.5, 97.5])
    print(
        f"watching {arguments.loop} costs {np.median(costs):+.2f} % of its CPU time: median of "
        f"{len(costs)} pairs, 95 % interval {low:+.2f} to {high:+.2f}; "
        f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
    )


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
