"""Time the CTC loss, forward and backward, against torch's, in interleaved pairs.

    python tools/bench/ctc.py --device cpu --threads 2 --pairs 7 --markdown \\
        > docs/benchmarks/<device>-<date>.md

Accuracy and memory in the same run. A ratio is the median over pairs of torch's time by ours, with
the interval of order statistics that holds the median with at least 95 % confidence. Needs torch,
numpy and ctcasr.
"""

from __future__ import annotations

import argparse
import datetime
import math
import multiprocessing
import platform
import re
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ctcasr.ctc import ctc_loss

CUDNN_LABELS = 256  # cuDNN takes shorter targets only
KERNEL_REPEATS = 5
TAIL = 0.05  # of the interval of order statistics
STATUS = Path("/proc/self/status")
CLEAR = Path("/proc/self/clear_refs")


class Shape(NamedTuple):
    """Rows, frames, classes and labels of a batch."""

    batch: int
    frames: int
    classes: int
    labels: int

    @staticmethod
    def parse(text: str) -> Shape:
        """From B,T,C,S."""
        batch, frames, classes, labels = (int(number) for number in text.split(","))
        return Shape(batch, frames, classes, labels)


# Shapes, and the arithmetic floors of forward and backward on an H200 in microseconds.
H200_FLOOR_US = {
    Shape(32, 400, 38, 60): 5,
    Shape(64, 1000, 38, 200): 14,
    Shape(32, 1500, 500, 100): 45,
    Shape(16, 2000, 5000, 200): 298,
    Shape(128, 1600, 38, 250): 22,
}
SHAPES = tuple(",".join(str(size) for size in shape) for shape in H200_FLOOR_US)
WARM_UP = Shape(2, 20, 5, 3)


class Batch(NamedTuple):
    """Logits that want a gradient [B, T, C], targets [B, S] on the host, equal lengths."""

    logits: Tensor
    targets: Tensor
    frames: list[int]
    labels: list[int]

    @staticmethod
    def random(shape: Shape, device: str) -> Batch:
        """Of noise."""
        rows = shape.batch
        generator = torch.Generator().manual_seed(0)
        logits = torch.randn(rows, shape.frames, shape.classes, generator=generator)
        targets = torch.randint(
            low=1,
            high=shape.classes,
            size=(rows, shape.labels),
            generator=generator,
        )
        return Batch(
            logits.to(device).requires_grad_(),
            targets,
            frames=[shape.frames] * rows,
            labels=[shape.labels] * rows,
        )

    def row(self, number: int) -> Batch:
        """One row, exact and on the host."""
        one = slice(number, number + 1)
        logits = self.logits[one].detach().double().cpu()
        return Batch(
            logits.requires_grad_(),
            self.targets[one],
            frames=self.frames[one],
            labels=self.labels[one],
        )


def ours(batch: Batch) -> None:
    """The loss of this library."""
    loss = ctc_loss(
        batch.logits,
        batch.targets,
        batch.frames,
        batch.labels,
        reduction="sum",
    )
    loss.backward()


def native(batch: Batch) -> None:
    """torch's own kernels."""
    targets = batch.targets.to(batch.logits.device)
    log_probs = batch.logits.log_softmax(-1).transpose(0, 1)
    frames = torch.tensor(batch.frames)
    labels = torch.tensor(batch.labels)
    with torch.backends.cudnn.flags(enabled=False):
        loss = F.ctc_loss(log_probs, targets, frames, labels, reduction="sum")
        loss.backward()


def cudnn(batch: Batch) -> None:
    """torch takes cuDNN for concatenated int32 targets and lengths on the host.

    And equal T, blank 0 and S < 256.
    """
    log_probs = batch.logits.log_softmax(-1).transpose(0, 1)
    targets = batch.targets.flatten().int()
    frames = torch.tensor(batch.frames, dtype=torch.int32)
    labels = torch.tensor(batch.labels, dtype=torch.int32)
    loss = F.ctc_loss(log_probs, targets, frames, labels, reduction="sum")
    loss.backward()


Run = Callable[[Batch], None]
PEERS: dict[str, Run] = {
    "ours": ours,
    "torch": native,
    "cuDNN": cudnn,
}


def seconds_of(run: Run, batch: Batch) -> float:
    """One call; on a CUDA device by its events."""
    batch.logits.grad = None
    if batch.logits.is_cuda:
        start = torch.cuda.Event(enable_timing=True)
        end = torch.cuda.Event(enable_timing=True)
        torch.cuda.synchronize()
        start.record()
        run(batch)
        end.record()
        torch.cuda.synchronize()
        return start.elapsed_time(end) / 1e3
    started = time.perf_counter()
    run(batch)
    return time.perf_counter() - started


def kernel_seconds(run: Run, batch: Batch) -> float:
    """What kernels and copies take on the CUDA device, without the gaps between them."""
    activities = [torch.profiler.ProfilerActivity.CUDA]
    with torch.profiler.profile(activities=activities) as profile:
        for _ in range(KERNEL_REPEATS):
            batch.logits.grad = None
            run(batch)
        torch.cuda.synchronize()
    microseconds = sum(event.self_device_time_total for event in profile.key_averages())
    return microseconds / KERNEL_REPEATS / 1e6


def interval(values: Sequence[float]) -> tuple[float, float]:
    """Order statistics that hold the median with at least 95 % confidence.

    All of the values if there are few.
    """
    count = len(values)
    ordered = sorted(values)
    rank = 0
    while 2 * _below(count, rank + 1) <= TAIL:
        rank += 1
    return ordered[rank], ordered[count - 1 - rank]


def _below(count: int, rank: int) -> float:
    """The probability that at most `rank` of `count` values are below the median."""
    ways = sum(math.comb(count, below) for below in range(rank + 1))
    return ways / 2**count


def gradient_error(run: Run, batch: Batch) -> float:
    """Largest absolute difference of the gradient to torch's CPU loss in float64, row by row."""
    batch.logits.grad = None
    run(batch)
    assert batch.logits.grad is not None
    largest = 0.0
    for number, gradient in enumerate(batch.logits.grad):
        exact = batch.row(number)
        native(exact)
        assert exact.logits.grad is not None
        difference = gradient.cpu() - exact.logits.grad[0]
        largest = max(largest, float(difference.abs().max()))
    return largest


def resident_bytes(name: str) -> int:
    """A line of the process's status."""
    match = re.search(rf"{name}:\s+(\d+)", STATUS.read_text())
    assert match is not None
    return int(match[1]) << 10


def peak_bytes(name: str, shape: Shape, device: str, threads: int) -> float:
    """Memory at the highest point of one call, its gradient included, beyond what was there before.

    NaN if unknown.
    """
    torch.set_num_threads(threads)
    run = PEERS[name]
    run(Batch.random(WARM_UP, device))
    batch = Batch.random(shape, device)
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        run(batch)
        return torch.cuda.max_memory_allocated() - before
    if not CLEAR.exists():
        return math.nan
    before = resident_bytes("VmRSS")
    CLEAR.write_text("5")  # resets the high-water mark
    run(batch)
    return resident_bytes("VmHWM") - before


def measure(shape: Shape, device: str, pairs: int, threads: int) -> Iterator[list[str]]:
    """The cells of everybody who takes such a shape."""
    batch = Batch.random(shape, device)
    names = ["ours", "torch"]
    if device == "cuda" and shape.labels < CUDNN_LABELS:
        names.append("cuDNN")
    for name in names:
        PEERS[name](batch)  # compiles, allocates
    times: dict[str, list[float]] = {name: [] for name in names}
    for pair in range(pairs):
        order = names if pair % 2 else names[::-1]
        for name in order:
            times[name].append(seconds_of(PEERS[name], batch))
    peaks = {}
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as fresh_process:
        for name in names:
            wanted = (name, shape, device, threads)
            peaks[name] = fresh_process.apply(peak_bytes, wanted)
    for name in names:
        median_s = statistics.median(times[name])
        read_and_written = 2 * batch.logits.nbytes
        traffic = read_and_written / median_s / 1e9
        cells = [
            str(tuple(shape)),
            name,
            f"{median_s * 1e3:.3f}",
            "" if name == "ours" else times_ours(times[name], times["ours"]),
            f"{traffic:.1f}",
            f"{gradient_error(PEERS[name], batch):.1e}",
            f"{peaks[name] / 2**20:.1f}",
        ]
        if device == "cuda":
            cells += kernel_cells(PEERS[name], batch, shape)
        yield cells


def times_ours(theirs: Sequence[float], own: Sequence[float]) -> str:
    """The median of the ratios of pairs, and its interval."""
    ratios = [other / mine for other, mine in zip(theirs, own, strict=True)]
    low, high = interval(ratios)
    return f"{statistics.median(ratios):.1f} ({low:.1f}..{high:.1f})"


def kernel_cells(run: Run, batch: Batch, shape: Shape) -> list[str]:
    """Microseconds of the kernels, and how near they are to the floor, where that is known."""
    kernels_us = kernel_seconds(run, batch) * 1e6
    floor = ""
    if "H200" in torch.cuda.get_device_name() and shape in H200_FLOOR_US:
        floor = f"{100 * H200_FLOOR_US[shape] / kernels_us:.0f} %"
    return [f"{kernels_us:.1f}", floor]


def processor() -> str:
    """The CPU's name."""
    info = Path("/proc/cpuinfo")
    match = None
    if info.exists():
        match = re.search(r"model name\s*:\s*(.+)", info.read_text())
    return match[1] if match else platform.processor()


def print_head(arguments: argparse.Namespace, columns: Sequence[str]) -> None:
    """Device, versions, and the names of the columns."""
    if arguments.device == "cuda":
        device = torch.cuda.get_device_name()
    else:
        device = f"{processor()}, {arguments.threads} threads"
    python = platform.python_version()
    versions = f"torch {torch.__version__}, numpy {np.__version__}, Python {python}"
    if not arguments.markdown:
        print(f"{device}; {versions}\n{plain_row(columns)}")
        return
    print(f"# CTC loss, forward and backward: {device}\n\n{datetime.date.today()}, {versions}.")
    print(f"`python {' '.join(sys.argv)}`\n")
    print(f"Medians; ratios with their interval over {arguments.pairs} pairs.\n")
    print(f"{markdown_row(columns)}\n|{'---|' * len(columns)}")


def markdown_row(cells: Sequence[str]) -> str:
    """For a document."""
    return f"| {' | '.join(cells)} |"


def plain_row(cells: Sequence[str]) -> str:
    """For a terminal."""
    return "".join(f"{cell:>22}" for cell in cells)


def main() -> None:
    """Print a table of every shape."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--shapes", nargs="+", default=SHAPES, metavar="B,T,C,S")
    parser.add_argument("--pairs", type=int, default=7, help="interleaved runs of everybody")
    parser.add_argument(
        "--threads", type=int, default=torch.get_num_threads(), help="torch.set_num_threads"
    )
    parser.add_argument(
        "--markdown", action="store_true", help="a table with device, versions and the command"
    )
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    columns = ["(B, T, C, S)", "", "ms", "times ours", "GB/s"]
    columns += ["max gradient error", "peak extra MiB"]
    if arguments.device == "cuda":
        columns += ["kernels us", "floor by kernels"]
    print_head(arguments, columns)
    as_row = markdown_row if arguments.markdown else plain_row
    for text in arguments.shapes:
        shape = Shape.parse(text)
        for cells in measure(shape, arguments.device, arguments.pairs, arguments.threads):
            print(as_row(cells), flush=True)


if __name__ == "__main__":
    main()
