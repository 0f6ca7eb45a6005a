"""Time the CTC loss, forward and backward, against torch's: interleaved pairs, accuracy and memory in the same run.

    python tools/bench/ctc.py --device cpu --threads 2 --pairs 7 --markdown > docs/benchmarks/<device>-<date>.md

A ratio is the median over pairs of torch's time by ours, with the interval of order statistics that holds the median
with at least 95 % confidence. Needs torch, numpy and ctcasr.
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
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ctcasr.ctc import ctc_loss

SHAPES = (
    "32,400,38,60",
    "64,1000,38,200",
    "32,1500,500,100",
    "16,2000,5000,200",
    "128,1600,38,250",
)
# Arithmetic floors of forward and backward on an H200 in microseconds, for the shapes above.
H200_FLOOR_US = {(32, 400, 38, 60): 5, (64, 1000, 38, 200): 14, (32, 1500, 500, 100): 45,
                 (16, 2000, 5000, 200): 298, (128, 1600, 38, 250): 22}  # fmt: skip


class Batch(NamedTuple):
    """Logits that want a gradient [B, T, C], targets [B, S] on the host, equal lengths."""

    logits: Tensor
    targets: Tensor
    frames: list[int]
    labels: list[int]


def make(shape: tuple[int, int, int, int], device: str) -> Batch:
    batch, frames, classes, labels = shape
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(batch, frames, classes, generator=generator).to(device).requires_grad_()
    targets = torch.randint(1, classes, (batch, labels), generator=generator)
    return Batch(logits, targets, [frames] * batch, [labels] * batch)


def ours(b: Batch) -> None:
    ctc_loss(b.logits, b.targets, b.frames, b.labels, reduction="sum").backward()


def native(b: Batch) -> None:
    targets = b.targets.to(b.logits.device)
    log_probs = b.logits.log_softmax(-1).transpose(0, 1)
    with torch.backends.cudnn.flags(enabled=False):
        lengths = torch.tensor(b.frames), torch.tensor(b.labels)
        F.ctc_loss(log_probs, targets, lengths[0], lengths[1], reduction="sum").backward()


def cudnn(b: Batch) -> None:
    """torch takes cuDNN for concatenated int32 targets and lengths on the host, equal T, blank 0 and S < 256."""
    log_probs = b.logits.log_softmax(-1).transpose(0, 1)
    frames, labels = (
        torch.tensor(b.frames, dtype=torch.int32),
        torch.tensor(b.labels, dtype=torch.int32),
    )
    F.ctc_loss(log_probs, b.targets.flatten().int(), frames, labels, reduction="sum").backward()


PEERS: dict[str, Callable[[Batch], None]] = {"ours": ours, "torch": native, "cuDNN": cudnn}


def seconds(run: Callable[[Batch], None], b: Batch) -> float:
    b.logits.grad = None
    if b.logits.is_cuda:
        start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        torch.cuda.synchronize()
        start.record()
        run(b)
        end.record()
        torch.cuda.synchronize()
        return start.elapsed_time(end) / 1e3
    begin = time.perf_counter()
    run(b)
    return time.perf_counter() - begin


def kernel_seconds(run: Callable[[Batch], None], b: Batch, repeats: int = 5) -> float:
    """Time that kernels and copies take on the CUDA device, without the gaps between them."""
    activities = [torch.profiler.ProfilerActivity.CUDA]
    with torch.profiler.profile(activities=activities) as profile:
        for _ in range(repeats):
            b.logits.grad = None
            run(b)
        torch.cuda.synchronize()
    return sum(event.self_device_time_total for event in profile.key_averages()) / repeats / 1e6


def interval(values: list[float]) -> tuple[float, float]:
    """Order statistics that hold the median with at least 95 % confidence (all of them if there are few)."""
    n, ordered = len(values), sorted(values)
    k = 0
    while 2 * sum(math.comb(n, i) for i in range(k + 2)) / 2**n <= 0.05:
        k += 1
    return ordered[k], ordered[n - 1 - k]


def gradient_error(run: Callable[[Batch], None], b: Batch) -> float:
    """Largest absolute difference of the gradient to torch's CPU loss in float64, row by row."""
    b.logits.grad = None
    run(b)
    assert b.logits.grad is not None
    worst = 0.0
    for row in range(len(b.frames)):
        exact = b.logits[row : row + 1].detach().double().cpu().requires_grad_()
        native(Batch(exact, b.targets[row : row + 1], b.frames[:1], b.labels[:1]))
        worst = max(worst, float((b.logits.grad[row : row + 1].cpu() - exact.grad).abs().max()))
    return worst


def resident(field: str) -> int:
    return int(re.search(rf"{field}:\s+(\d+)", Path("/proc/self/status").read_text())[1]) << 10  # type: ignore[index]


def peak_bytes(name: str, shape: tuple[int, int, int, int], device: str, threads: int) -> float:
    """Memory at the highest point of one call, its gradient included, beyond what was there before; NaN if unknown."""
    torch.set_num_threads(threads)
    run = PEERS[name]
    run(make((2, 20, 5, 3), device))
    b = make(shape, device)
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        run(b)
        return torch.cuda.max_memory_allocated() - before
    if not Path("/proc/self/clear_refs").exists():
        return math.nan
    before = resident("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # resets the high-water mark
    run(b)
    return resident("VmHWM") - before


def measure(
    shape: tuple[int, int, int, int], device: str, pairs: int, threads: int
) -> list[list[str]]:
    b = make(shape, device)
    names = ["ours", "torch"] + (["cuDNN"] if device == "cuda" and shape[3] < 256 else [])
    for name in names:
        PEERS[name](b)  # compiles, allocates
    times: dict[str, list[float]] = {name: [] for name in names}
    for pair in range(pairs):
        for name in names if pair % 2 else names[::-1]:
            times[name].append(seconds(PEERS[name], b))
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as fresh:
        peaks = {name: fresh.apply(peak_bytes, (name, shape, device, threads)) for name in names}
    rows = []
    for name in names:
        middle = statistics.median(times[name])
        ratios = [theirs / mine for theirs, mine in zip(times[name], times["ours"], strict=True)]
        low, high = interval(ratios)
        traffic = 2 * b.logits.numel() * b.logits.element_size() / middle / 1e9
        row = [str(shape), name, f"{middle * 1e3:.3f}",
               "" if name == "ours" else f"{statistics.median(ratios):.1f} ({low:.1f}..{high:.1f})",
               f"{traffic:.1f}", f"{gradient_error(PEERS[name], b):.1e}", f"{peaks[name] / 2**20:.1f}"]  # fmt: skip
        if device == "cuda":
            kernels = kernel_seconds(PEERS[name], b)
            known = "H200" in torch.cuda.get_device_name() and shape in H200_FLOOR_US
            floor = f"{100 * H200_FLOOR_US[shape] / (kernels * 1e6):.0f} %" if known else ""
            row += [f"{kernels * 1e6:.1f}", floor]
        rows.append(row)
    return rows


def processor() -> str:
    info = Path("/proc/cpuinfo")
    found = re.search(r"model name\s*:\s*(.+)", info.read_text()) if info.exists() else None
    return found[1] if found else platform.processor()


def main() -> None:
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
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    head = ["(B, T, C, S)", "", "ms", "times ours", "GB/s", "max gradient error", "peak extra MiB"]
    if args.device == "cuda":
        head += ["kernels us", "floor by kernels"]
    device = (
        torch.cuda.get_device_name()
        if args.device == "cuda"
        else f"{processor()}, {args.threads} threads"
    )
    versions = (
        f"torch {torch.__version__}, numpy {np.__version__}, Python {platform.python_version()}"
    )
    if args.markdown:
        print(f"# CTC loss, forward and backward: {device}\n\n{datetime.date.today()}, {versions}.")
        print(
            f"`python {' '.join(sys.argv)}`\n\nMedians; ratios with their interval over {args.pairs} pairs.\n"
        )
        print(f"| {' | '.join(head)} |\n|{'---|' * len(head)}")
    else:
        print(f"{device}; {versions}\n" + "".join(f"{cell:>22}" for cell in head))
    for text in args.shapes:
        batch, frames, classes, labels = (int(value) for value in text.split(","))
        for row in measure((batch, frames, classes, labels), args.device, args.pairs, args.threads):
            print(
                f"| {' | '.join(row)} |"
                if args.markdown
                else "".join(f"{cell:>22}" for cell in row),
                flush=True,
            )


if __name__ == "__main__":
    main()
