"""Time and memory of a loss without logits beside projection and `ctc_loss`, both with backward.

    python tools/bench/linear.py --threads 2 --pairs 7 --markdown
    python tools/bench/linear.py --shapes 8,1500,32000,120 --pairs 1 --only linear

Interleaved pairs; a ratio is the median over rounds of our seconds by those of the plain way, with
its 95 % bootstrap interval. Memory is the highest point of one call in a process of its own beyond
what was there before: in all, and without the gradients of frames, weight and bias, which either
way has to give. Differences are relative to the largest gradient of the plain way.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

sys.path.insert(0, str(Path(__file__).parent))
from _pairs import interleaved, ratio
from ctc import CLEAR, Shape, processor, resident_bytes

from ctcasr.ctc import ctc_loss, ctc_loss_linear

SHAPES = ("32,400,500,60", "16,2000,5000,200", "8,1500,32000,120")
COLUMNS = (
    "(B, T, C, S)",
    "",
    "s",
    "times plain",
    "difference",
    "extra MiB",
    "without gradients",
)
WARM_UP = Shape(2, 20, 300, 3)
MIB = 2**20


class Problem(NamedTuple):
    """Leaves that want gradients, and what is said in each row."""

    leaves: tuple[Tensor, Tensor, Tensor]  # hidden [B, T, D], weight [C, D], bias [C]
    targets: Tensor  # [B, S]
    frames: list[int]  # [B]
    labels: list[int]  # [B]

    @staticmethod
    def random(shape: Shape, width: int) -> Problem:
        """Of noise; full rows of `width` inputs a frame."""
        rows = shape.batch
        generator = torch.Generator().manual_seed(0)
        hidden = torch.randn(rows, shape.frames, width, generator=generator)
        weight = torch.randn(shape.classes, width, generator=generator) / width**0.5
        bias = torch.zeros(shape.classes)
        targets = torch.randint(
            low=1,
            high=shape.classes,
            size=(rows, shape.labels),
            generator=generator,
        )
        leaves = (hidden, weight, bias)
        for leaf in leaves:
            leaf.requires_grad_()
        return Problem(
            leaves,
            targets,
            frames=[shape.frames] * rows,
            labels=[shape.labels] * rows,
        )

    def forget(self) -> None:
        """No gradients any more."""
        for leaf in self.leaves:
            leaf.grad = None

    def gradients(self) -> list[Tensor]:
        """Those of all leaves."""
        return [leaf.grad for leaf in self.leaves if leaf.grad is not None]


def plain(problem: Problem) -> Tensor:
    """Projection, then the loss of the logits."""
    hidden, weight, bias = problem.leaves
    logits = F.linear(hidden, weight, bias)
    loss = ctc_loss(
        logits,
        problem.targets,
        problem.frames,
        problem.labels,
        reduction="sum",
    )
    loss.backward()
    return loss.detach()


def linear(problem: Problem) -> Tensor:
    """All in one."""
    loss = ctc_loss_linear(
        *problem.leaves,
        problem.targets,
        problem.frames,
        problem.labels,
        reduction="sum",
    )
    loss.backward()
    return loss.detach()


# On a busy machine processor time (of all threads) says more; use it with one thread.
CLOCKS: dict[str, Callable[[], float]] = {
    "wall": time.perf_counter,
    "processor": time.process_time,
}
WAYS: dict[str, Callable[[Problem], Tensor]] = {
    "plain": plain,
    "linear": linear,
}


class Memory(NamedTuple):
    """Bytes beyond what was there before a call, at its highest point."""

    extra: float
    gradients: float  # of these, what either way has to give


def memory_of(name: str, shape: Shape, width: int, threads: int) -> Memory:
    """Of one call, in a process of its own: what was freed before would be reused unseen."""
    wanted = (name, shape, width, threads)
    with multiprocessing.get_context("spawn").Pool(1) as fresh_process:
        return fresh_process.apply(peak_bytes, wanted)


def peak_bytes(name: str, shape: Shape, width: int, threads: int) -> Memory:
    """Memory of one call in this process."""
    run = WAYS[name]
    torch.set_num_threads(threads)
    run(Problem.random(WARM_UP, width))
    problem = Problem.random(shape, width)
    before = resident_bytes("VmRSS")
    CLEAR.write_text("5")  # resets the high-water mark
    run(problem)
    highest = resident_bytes("VmHWM")
    gradients = sum(gradient.nbytes for gradient in problem.gradients())
    return Memory(extra=float(highest - before), gradients=float(gradients))


def seconds_of(name: str, problem: Problem, clock: Callable[[], float]) -> float:
    """One call."""
    problem.forget()
    started = clock()
    WAYS[name](problem)
    return clock() - started


def difference(problem: Problem) -> float:
    """The largest difference of gradients, relative to the largest of each leaf."""
    problem.forget()
    plain(problem)
    truth = [gradient.clone() for gradient in problem.gradients()]
    problem.forget()
    linear(problem)
    largest = 0.0
    for expected, computed in zip(truth, problem.gradients(), strict=True):
        error = (expected - computed).abs().max()
        relative = error / expected.abs().max()
        largest = max(largest, float(relative))
    return largest


def measure(shape: Shape, arguments: argparse.Namespace) -> list[list[str]]:
    """The cells of each way."""
    names = [arguments.only] if arguments.only else list(WAYS)
    problem = Problem.random(shape, arguments.width)
    clock = CLOCKS[arguments.clock]
    runs = {}
    for name in names:
        seconds_of(name, problem, clock)  # compiles, allocates
        runs[name] = partial(seconds_of, name, problem, clock)
    seconds = interleaved(runs, arguments.pairs)
    rows = []
    for name in names:
        memory = memory_of(name, shape, arguments.width, arguments.threads)
        times_plain = ""
        relative_error = ""
        if name == "linear" and len(names) == len(WAYS):
            times_plain = str(ratio(seconds["linear"], seconds["plain"]))
            relative_error = f"{difference(problem):.0e}"
        cells = [
            str(tuple(shape)),
            name,
            f"{statistics.median(seconds[name]):.2f}",
            times_plain,
            relative_error,
            f"{memory.extra / MIB:.0f}",
            f"{(memory.extra - memory.gradients) / MIB:.0f}",
        ]
        rows.append(cells)
    return rows


def main() -> None:
    """Print a table of every shape."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shapes", nargs="+", default=SHAPES, metavar="B,T,C,S")
    parser.add_argument("--width", type=int, default=512, help="D, inputs of the last layer")
    parser.add_argument("--pairs", type=int, default=7, help="interleaved runs of both")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--only", choices=tuple(WAYS), help="one way alone")
    parser.add_argument("--clock", choices=tuple(CLOCKS), default="wall")
    parser.add_argument("--markdown", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    load = os.getloadavg()[0]
    print(f"{processor()}, {arguments.threads} threads, load {load:.1f}, D = {arguments.width}\n")
    if arguments.markdown:
        print_cells(COLUMNS, markdown=True)
        print("|" + "---|" * len(COLUMNS))
    for text in arguments.shapes:
        for cells in measure(Shape.parse(text), arguments):
            print_cells(cells, arguments.markdown)


def print_cells(cells: Sequence[str], markdown: bool) -> None:
    """A row of the table."""
    if markdown:
        print("| " + " | ".join(cells) + " |", flush=True)
    else:
        print("  ".join(cells), flush=True)


if __name__ == "__main__":
    main()
