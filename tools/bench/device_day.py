"""What the first minutes on a CUDA device shall tell, part by part.

    python tools/bench/device_day.py env            # versions, bandwidth, what is missing
    python tools/bench/device_day.py smoke          # correctness: every width and type
    python tools/bench/device_day.py small          # a few small batches, for a sanitizer
    python tools/bench/device_day.py one 64 1000 38 200     # one call, for a profiler
    python tools/bench/device_day.py ctc            # the loss against torch's and cuDNN's
    python tools/bench/device_day.py steps          # optimiser steps: time, memory, waits, kernels
    python tools/bench/device_day.py heads          # steps of enhancers and classifiers
    python tools/bench/device_day.py rnn            # two directions: in turn, side by side, packed
    python tools/bench/device_day.py grid 25s       # train on GRID for so long
    python tools/bench/device_day.py gridfull 60 0 1 2      # GRID to convergence: epochs, seeds
    python tools/bench/device_day.py an4 60 0       # AN4 likewise

device_day.sh calls them in order of importance, each with a limit of its own. $DAY_DATA is the
folder of the corpora, $OUT where the records of runs are copied to. Without a device everything
runs small, on the CPU: that tries the script, and its figures mean nothing.
"""

from __future__ import annotations

import argparse
import importlib
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parent))
from _device import DEVICE, KERNELS_ARE_WRONG, ON_DEVICE, median_us
from _device_ctc import ctc, one, small, smoke
from _device_runs import an4, grid, gridfull
from _device_steps import heads, rnn, steps

from ctcasr.ctc.backends import prefer

PACKAGES = (
    "soundfile",
    "jiwer",
    "rapidfuzz",
    "numba",
    "scipy",
    "rich",
    "sentencepiece",
    "hypothesis",
    "xdist",
    "triton",
    "matplotlib",
    "cuda.pathfinder",
)
COPIED = 1 << 30  # bytes


def environment() -> None:
    """Versions, the speed of a copy, packages that are missing."""
    cudnn = torch.backends.cudnn.version()
    print(f"Python {sys.version.split()[0]}, torch {torch.__version__}, cuDNN {cudnn}", end=", ")
    print(f"{os.cpu_count()} CPUs")
    if ON_DEVICE:
        print(torch.cuda.get_device_properties(0))
        source = torch.empty(COPIED, dtype=torch.uint8, device=DEVICE)
        target = torch.empty_like(source)
        copy_us = median_us(lambda: target.copy_(source))
        empty_us = median_us(lambda: target[:1].zero_())
        print(f"copy {2 * COPIED / copy_us / 1e6:.2f} TB/s;", end=" ")
        print(f"an empty kernel {empty_us:.1f} us from event to event")
    for name in PACKAGES:
        try:
            module = importlib.import_module(name)
            print(name, getattr(module, "__version__", "is there"), end="; ")
        except Exception as error:  # whatever is wrong with it is what this part tells
            print(f"{name} MISSING ({error})", end="; ")
    print()


PARTS: dict[str, Callable[..., None]] = {
    "env": environment,
    "smoke": smoke,
    "small": small,
    "one": one,
    "ctc": ctc,
    "steps": steps,
    "heads": heads,
    "rnn": rnn,
    "grid": grid,
    "gridfull": gridfull,
    "an4": an4,
}


def stop(*_: object) -> None:
    """End the part whose time is over in an orderly way."""
    raise SystemExit("stopped: its time is over")


def main() -> None:
    """Run one part."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("part", choices=list(PARTS))
    parser.add_argument("words", nargs="*", help="what the part takes: a time, epochs and seeds")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, stop)
    print(f"{arguments.part} on {DEVICE}", flush=True)
    part = PARTS[arguments.part]
    with prefer("torch" if part in (steps, heads) and KERNELS_ARE_WRONG.exists() else "auto"):
        part(*arguments.words)


if __name__ == "__main__":
    main()
