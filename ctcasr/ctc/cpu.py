"""CTC on the CPU: compiled rows on a pool of as many threads as torch uses; exact, and the same bits every time."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import torch
from numba import types
from torch import Tensor

from ctcasr.ctc._cpu_rows import run_rows
from ctcasr.ctc._memory import fresh
from ctcasr.ctc.problem import CtcBatch, CtcOutput
from ctcasr.kernels.pool import kernel_pool

_lock = threading.RLock()
_compiled: set[torch.dtype] = set()


def forward_backward(logits: Tensor, problem: CtcBatch, need_grad: bool) -> CtcOutput:
    """Loss, gradient and health of each row of logits [B, T, C] on the CPU; half precision is computed in float32."""
    batch, frames, classes = logits.shape
    dtype = torch.float64 if logits.dtype == torch.float64 else torch.float32
    _compile(dtype)
    scores = logits.detach().to(dtype)
    grad = fresh((batch, frames, classes) if need_grad else (1, 0, 0), dtype)
    nll, health = np.zeros(batch), np.zeros(batch)
    labels = problem.targets.numpy()
    lengths = np.array(problem.input_lengths, dtype=np.int64)
    targets = np.array(problem.target_lengths, dtype=np.int64)
    prior = np.zeros(classes) if problem.prior is None else problem.prior.numpy()
    # Dear rows first, so that no thread is left with one at the end.
    order = np.argsort(-lengths * (targets * 8 + classes), kind="stable")
    arguments: tuple[Any, ...] = (
        scores.numpy(), grad.numpy(), labels, np.array(problem.offsets, dtype=np.int64), lengths, order,
        np.zeros(1, dtype=np.int64), problem.blank, prior, problem.normalize, need_grad, nll, health,
    )  # fmt: skip
    threads = min(torch.get_num_threads(), batch)
    helpers = [kernel_pool(threads - 1).submit(run_rows, *arguments) for _ in range(threads - 1)]
    if batch:
        run_rows(*arguments)
    for helper in helpers:
        helper.result()
    return CtcOutput(
        torch.from_numpy(nll).to(dtype),
        grad.to(logits.dtype) if need_grad else None,
        torch.from_numpy(health).to(torch.float32),
    )


def _compile(dtype: torch.dtype) -> None:
    """Compile for scores of any stride (one signature for each type), or load what an earlier process compiled."""
    with _lock:
        if dtype in _compiled:
            return
        real = types.float64 if dtype == torch.float64 else types.float32
        ints, doubles = types.Array(types.int64, 1, "C"), types.Array(types.float64, 1, "C")
        signature = (
            types.Array(real, 3, "A"), types.Array(real, 3, "C"), ints, ints, ints, ints, ints, types.int64,
            doubles, types.boolean, types.boolean, doubles, doubles,
        )  # fmt: skip
        run_rows.disable_compile(False)
        run_rows.compile(signature)
        run_rows.disable_compile(True)
        _compiled.add(dtype)
