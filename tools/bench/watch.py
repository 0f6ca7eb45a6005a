"""What watching costs: trainings that `ctcasr.watch` sees for some steps and not for as many.

python tools/bench/watch.py                          # a loop of one's own
python tools/bench/watch.py --loop transformers      # its Trainer (needs transformers, accelerate)

A training is watched and left alone by turns of a few steps, in CPU seconds: the pace of a shared
machine, and how a process lies in memory, change from one training to the next by far more than a
watch costs. A second training, whose turns are the other way round, makes a pair with it, so that
both have the same batches. What a watch does at its start and its end counts to the watched steps;
it gets its share of their time alone. Short trainings before, which compile kernels, are left out.
"""

from __future__ import annotations

import argparse
import io
import os
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from typing import Any

import numpy as np
import torch
from strangers import LOOPS, Fault, Run

from ctcasr.watching.session import Watch, watch

DRAWS = 10_000  # of the bootstrap
WARM_UP = 40  # steps
RATES = {"transformers": 2e-3}  # that its network learns at


class ByTurns:
    """A session that watches for `turn` optimiser steps and rests for as many, timed apart."""

    def __init__(self, session: Watch, turn: int, rests_first: bool) -> None:
        self.session = session
        self.turn = turn
        self.watched_s = 0.0
        self.alone_s = 0.0
        self._watches = True
        self._rests_first = rests_first
        self._steps = -1  # the first is not counted
        self._since_s = 0.0
        self._rests_since_s = 0.0

    def __enter__(self) -> ByTurns:
        began_s = time.process_time()
        self.session.start()
        self.watched_s += time.process_time() - began_s
        BEHIND_STEPS.append(self.step_taken)
        return self

    def __exit__(self, *error: object) -> None:
        BEHIND_STEPS.remove(self.step_taken)
        if not self._watches:
            self._switch()
        began_s = time.process_time()
        self.session.stop()
        self.watched_s += time.process_time() - began_s

    def step_taken(self) -> None:
        """Count a step; the first one, in which layers and memory are set up, is not timed."""
        now_s = time.process_time()
        self._steps += 1
        if not self._steps and self._rests_first:
            self._switch()
        elif self._steps and self._steps % self.turn == 0:
            if self._watches:
                self.watched_s += now_s - self._since_s
            else:
                self.alone_s += now_s - self._since_s
            self._switch()
        if self._steps % self.turn == 0:
            self._since_s = time.process_time()

    def _switch(self) -> None:
        """Rest, or watch again as if no time had passed."""
        if self._watches:
            self.session._let_go()
            self._rests_since_s = time.perf_counter()
        else:
            self.session._take_hold()
            self.session._care._began_s += time.perf_counter() - self._rests_since_s
        self._watches = not self._watches


BEHIND_STEPS: list[Callable[[], None]] = []  # called behind every optimiser step


def main() -> None:
    """Print CPU seconds of every training, the median of the cost and its interval."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--loop", choices=sorted(LOOPS), default="plain")
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--steps", type=int, default=1200, help="of each training, half watched")
    parser.add_argument("--turn", type=int, default=20, help="steps until it is another's turn")
    parser.add_argument("--rows", type=int, default=32, help="of a batch")
    parser.add_argument("--units", type=int, default=192, help="width of the network")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    call_behind_steps(torch.optim.Adam)
    call_behind_steps(torch.optim.AdamW)
    trained_pair(arguments, WARM_UP)
    costs = []
    for number in range(1, arguments.pairs + 1):
        pair = trained_pair(arguments, arguments.steps)
        watched_s = sum(training.watched_s for training in pair)
        alone_s = sum(training.alone_s for training in pair)
        cost = 100 * (watched_s / alone_s - 1)
        costs.append(cost)
        print(
            f"pair {number}: {watched_s:.2f} s watched, {alone_s:.2f} s alone: {cost:+.2f} %",
            flush=True,
        )
    low, high = interval(costs)
    print(
        f"watching {arguments.loop} costs {np.median(costs):+.2f} % of its CPU time: median of "
        f"{len(costs)} pairs, 95 % interval {low:+.2f} to {high:+.2f}; "
        f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
    )


def interval(values: list[float]) -> tuple[float, float]:
    """The 95 % interval of the median of some values."""
    drawn = np.random.default_rng(0).choice(values, (DRAWS, len(values)))
    low, high = np.percentile(np.median(drawn, axis=1), [2.5, 97.5])
    return float(low), float(high)


def call_behind_steps(kind: type[torch.optim.Adam]) -> None:
    """Have `BEHIND_STEPS` called behind each step, when torch's own hooks have run."""
    kind([torch.nn.Parameter(torch.zeros(1))])  # the first one puts torch's hooks around `step`
    step = kind.step

    def with_calls(self: torch.optim.Adam, *args: Any, **kwargs: Any) -> Any:
        result = step(self, *args, **kwargs)
        for call in list(BEHIND_STEPS):
            call()
        return result

    with_calls.hooked = True  # type: ignore[attr-defined]
    kind.step = with_calls  # type: ignore[assignment, method-assign]


def trained_pair(arguments: argparse.Namespace, steps: int) -> list[ByTurns]:
    """A training that is watched first, and one that is left alone first."""
    return [trained(arguments, steps, rests_first) for rests_first in (False, True)]


def trained(arguments: argparse.Namespace, steps: int, rests_first: bool) -> ByTurns:
    """One training, timed."""
    fault = Fault(lr=RATES.get(arguments.loop, Fault().lr))
    by_turns = ByTurns(watch(say=None), arguments.turn, rests_first)
    run = Run(
        fault=fault,
        steps=steps + 1,
        rows=arguments.rows,
        units=arguments.units,
        session=by_turns,
    )
    with redirect_stdout(io.StringIO()):  # what a Trainer prints
        LOOPS[arguments.loop](run)
    return by_turns


if __name__ == "__main__":
    main()
