"""Compile the CPU kernels ahead of their first use: `python -m ctcasr.ctc.compile`.

The machine code stays on disk beside this package (or where NUMBA_CACHE_DIR says), for this
processor and this numba. Without that each kernel is compiled when it is first called.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import torch

from ctcasr.ctc.align import forced_align
from ctcasr.ctc.beam import BeamSearch
from ctcasr.ctc.loss import ctc_loss

_TARGETS = torch.tensor([[1]])


def compile_kernels() -> dict[str, float]:
    """Seconds that the first call of each took, by name: loss, beam search, alignment.

    Next to nothing where an earlier process has compiled them.
    """
    logits = torch.zeros(1, 2, 2)
    impossible = torch.tensor([[[0.0, -torch.inf], [0.0, 0.0]]])
    first_calls: dict[str, Callable[[], object]] = {
        "loss float32": lambda: ctc_loss(logits, _TARGETS, [2], [1]),
        "loss float64": lambda: ctc_loss(logits.double(), _TARGETS, [2], [1]),
        "loss in log space": lambda: ctc_loss(impossible, _TARGETS, [2], [1]),
        "beam search": lambda: BeamSearch()(logits, [2]),
        "forced alignment": lambda: forced_align(logits, _TARGETS, [2], [1]),
    }
    seconds = {}
    for name, call in first_calls.items():
        begin = time.perf_counter()
        call()
        seconds[name] = time.perf_counter() - begin
    return seconds


if __name__ == "__main__":
    for kernel, took in compile_kernels().items():
        print(f"{kernel}: {took:.1f} s")
