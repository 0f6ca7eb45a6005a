"""Pace of training beside 0, 1 and 2 busy neighbours, with several ways for threads to wait.

    python tools/bench/neighbours.py --rounds 3 --seconds 12

Each run is a process of its own that takes optimiser steps on noise, for `--seconds` after
`--settle` seconds in which it may find its number of threads; neighbours are endless loops. Audio
seconds a second: the median over rounds, and the share of the quiet pace of torch as it comes. For
a machine on which nothing else runs: its load is printed.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

NEIGHBOURS = (0, 1, 2)
CLIP_S = 3.0
ROWS = 16


@dataclass(frozen=True)
class Way:
    """How threads wait, and whether their number follows the machine."""

    name: str
    environment: dict[str, str]
    governed: bool = False
    settled: bool = False  # as our entry points set it


WAYS = (
    Way("torch as it comes", {}),
    Way("passive", {"OMP_WAIT_POLICY": "passive"}),
    Way("3000 spins", {"GOMP_SPINCOUNT": "3000"}),
    Way("30000 spins", {"GOMP_SPINCOUNT": "30000"}),
    Way("one thread", {"OMP_NUM_THREADS": "1"}),
    Way("governed", {}, governed=True),
    Way("ours", {}, governed=True, settled=True),
)


@contextlib.contextmanager
def neighbours(count: int) -> Iterator[None]:
    """Within, so many processes are busy."""
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def pace_of(way: Way, arguments: argparse.Namespace) -> float:
    """Audio seconds a second, measured in a process of its own."""
    environment = dict(os.environ)
    for name in ("OMP_NUM_THREADS", "OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME"):
        environment.pop(name, None)
    environment |= way.environment
    command = [sys.executable, __file__, "--child", "--net", arguments.net]
    command += ["--seconds", str(arguments.seconds), "--settle", str(arguments.settle)]
    if way.governed:
        command.append("--governed")
    if way.settled:
        command.append("--settled")
    # What goes wrong in it is to be seen: standard error is ours.
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return float(done.stdout)


def child(arguments: argparse.Namespace) -> None:
    """Train on noise, and print the pace."""
    if arguments.settled:
        from ctcasr.kernels.governor import settle_waiting

        settle_waiting()
    import torch

    from ctcasr.ctc import ctc_loss
    from ctcasr.front import FrontEnd
    from ctcasr.kernels.governor import governor_of_torch
    from ctcasr.recognise.model import build
    from ctcasr.recognise.spec import read_spec
    from ctcasr.seq import Seq
    from ctcasr.text import Alphabet

    torch.manual_seed(0)
    spec = read_spec(arguments.net)
    model = build(spec, Alphabet.english38().size).train()
    optimiser = torch.optim.AdamW(model.parameters())
    rate_hz = spec.front.rate_hz
    clips = [0.1 * torch.randn(round(CLIP_S * rate_hz)) for _ in range(ROWS)]
    samples = Seq.stack(clips, rate_hz)
    if isinstance(model.front, FrontEnd):
        model.front.fit([samples])
    targets = torch.randint(1, 38, (ROWS, 20))
    governor = governor_of_torch() if arguments.governed else None
    started = time.perf_counter()
    steps = 0
    begun = started
    while time.perf_counter() - started < arguments.settle + arguments.seconds:
        logits = model(samples)
        loss = ctc_loss(logits.data, targets, logits.lengths, [20] * ROWS)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        steps += 1
        if governor is not None:
            governor.look()
        if time.perf_counter() - started < arguments.settle:
            steps = 0
            begun = time.perf_counter()
    print(steps * ROWS * CLIP_S / (time.perf_counter() - begun))


def main() -> None:
    """Print a line for each way."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--net", default="default", help="preset or .toml")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=12.0)
    parser.add_argument("--settle", type=float, default=10.0)
    parser.add_argument("--ways", nargs="+", default=[way.name for way in WAYS])
    parser.add_argument("--child", action="store_true", help="take the steps of one run")
    parser.add_argument("--governed", action="store_true", help="in a child: threads follow")
    parser.add_argument("--settled", action="store_true", help="in a child: waiting as of `ctcasr`")
    arguments = parser.parse_args()
    if arguments.child:
        child(arguments)
        return
    ways = [way for way in WAYS if way.name in arguments.ways]
    print(f"{os.cpu_count()} cores, load before: {os.getloadavg()[0]:.2f}")
    paces: dict[tuple[str, int], list[float]] = {}
    for number in range(arguments.rounds):
        for way in ways if number % 2 == 0 else ways[::-1]:
            for count in NEIGHBOURS:
                with neighbours(count):
                    pace = pace_of(way, arguments)
                paces.setdefault((way.name, count), []).append(pace)
                print(f"round {number + 1}: {way.name}, {count}: {pace:.0f}", file=sys.stderr)
    quiet = statistics.median(paces[ways[0].name, 0])
    print("| | " + " | ".join(f"{count} neighbours" for count in NEIGHBOURS) + " |")
    print("|---" * (1 + len(NEIGHBOURS)) + "|")
    for way in ways:
        cells = []
        for count in NEIGHBOURS:
            median = statistics.median(paces[way.name, count])
            cells.append(f"{median:.0f} ({100 * median / quiet:.0f} %)")
        print(f"| {way.name} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
