"""CTC on the CPU: compiled rows on as many threads as torch uses; the same bits every time."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import torch
from numba import types
from numba.core.errors import NumbaError
from torch import Tensor

from ctcasr.ctc._cpu_rows import run_rows
from ctcasr.ctc._memory import fresh
from ctcasr.ctc.batch import CtcBatch, CtcOutput
from ctcasr.ctc.errors import KernelError
from ctcasr.kernels.pool import kernel_pool

_COST_OF_A_LABEL = 8  # in a frame, as against that of a class in the softmax

_lock = threading.RLock()
_compiled: set[torch.dtype] = set()


def forward_backward(logits: Tensor, ctc_batch: CtcBatch, need_grad: bool) -> CtcOutput:
    """Loss, gradient and health of each row of logits [B, T, C] on the CPU.

    Half precision is computed in float32.
    """
    rows, frames, classes = logits.shape
    dtype = torch.float64 if logits.dtype == torch.float64 else torch.float32
    _compile(dtype)
    scores = logits.detach().to(dtype)
    grad = fresh((rows, frames, classes) if need_grad else (1, 0, 0), dtype)
    nll = np.zeros(rows)
    health = np.zeros(rows)
    prior = np.zeros(classes) if ctc_batch.prior is None else ctc_batch.prior.numpy()
    input_lengths = np.array(ctc_batch.input_lengths, dtype=np.int64)
    target_lengths = np.array(ctc_batch.target_lengths, dtype=np.int64)
    # Dear rows first, so that no thread is left with one at the end.
    costs = input_lengths * (target_lengths * _COST_OF_A_LABEL + classes)
    order = np.argsort(-costs, kind="stable")
    _run_on_all_threads(
        rows,
        scores.numpy(),
        grad.numpy(),
        ctc_batch.targets.numpy(),
        np.array(ctc_batch.offsets, dtype=np.int64),
        input_lengths,
        order,
        np.zeros(1, dtype=np.int64),  # how many rows of `order` have been taken
        ctc_batch.blank,
        prior,
        ctc_batch.normalize,
        need_grad,
        nll,
        health,
    )
    return CtcOutput(
        torch.from_numpy(nll).to(dtype),
        grad.to(logits.dtype) if need_grad else None,
        torch.from_numpy(health).to(torch.float32),
    )


def _run_on_all_threads(rows: int, *arguments: Any) -> None:
    """`run_rows` on this thread and on the pool's, which share out the rows among them."""
    threads = min(torch.get_num_threads(), rows)
    helpers = []
    for _ in range(threads - 1):
        helpers.append(kernel_pool(threads - 1).submit(run_rows, *arguments))
    if rows:
        run_rows(*arguments)
    for helper in helpers:
        helper.result()


def _compile(dtype: torch.dtype) -> None:
    """Compile for scores of any stride, or load what an earlier process compiled; KernelError."""
    with _lock:
        if dtype in _compiled:
            return
        real = types.float64 if dtype == torch.float64 else types.float32
        integers = types.Array(types.int64, 1, "C")
        doubles = types.Array(types.float64, 1, "C")
        signature = (
            types.Array(real, 3, "A"),  # scores
            types.Array(real, 3, "C"),  # grads
            integers,  # labels
            integers,  # offsets
            integers,  # lengths
            integers,  # order
            integers,  # counter
            types.int64,  # blank
            doubles,  # prior
            types.boolean,  # normalize
            types.boolean,  # need_grad
            doubles,  # nll
            doubles,  # health
        )
        run_rows.disable_compile(False)
        try:
            run_rows.compile(signature)
        except NumbaError as error:
            raise KernelError(f"numba did not compile the CTC kernel: {error}") from error
        finally:
            run_rows.disable_compile(True)
        _compiled.add(dtype)
