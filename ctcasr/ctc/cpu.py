"""CTC on the CPU: compiled rows on as many threads as torch uses; the same bits every time."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import torch
from numba import typeof, types
from torch import Tensor

from ctcasr.ctc._cpu_kernel import DOUBLES, INTEGERS, CpuKernel, Signature
from ctcasr.ctc._cpu_logspace import run_logspace
from ctcasr.ctc._cpu_rows import run_rows
from ctcasr.ctc._cpu_work import make_work
from ctcasr.ctc._memory import fresh
from ctcasr.ctc.batch import CtcBatch, CtcOutput, precision_of

_COST_OF_A_LABEL = 8  # in a frame, as against that of a class in the softmax
_EXACT = 1e-9  # spread of sum_s alpha beta over t beyond which a row is done again in log space


def _rows_signature(real: Any) -> Signature:
    """Of `run_rows`."""
    dtype = np.float64 if real == types.float64 else np.float32
    return (
        typeof(make_work(1, 1, 1, dtype, need_grad=True)),  # type: ignore[no-untyped-call]
        types.Array(real, 1, "C"),  # scores
        INTEGERS,  # steps
        *_shared_signature(real),
    )


def _logspace_signature(real: Any) -> Signature:
    """Of `run_logspace`, for scores of any stride."""
    return (types.Array(real, 3, "A"), *_shared_signature(real))


def _shared_signature(real: Any) -> Signature:
    """Of what both loops are given."""
    return (
        types.Array(real, 3, "C"),  # grads
        INTEGERS,  # labels
        INTEGERS,  # offsets
        INTEGERS,  # lengths
        INTEGERS,  # order
        INTEGERS,  # counter
        types.int64,  # blank
        DOUBLES,  # prior
        types.boolean,  # normalize
        types.boolean,  # need_grad
        DOUBLES,  # nll
        DOUBLES,  # health
    )


_rows = CpuKernel(run_rows, _rows_signature)
_logspace = CpuKernel(run_logspace, _logspace_signature)


def forward_backward(logits: Tensor, ctc_batch: CtcBatch, need_grad: bool) -> CtcOutput:
    """Loss, gradient and health of each row of logits [B, T, C] on the CPU.

    Half precision is computed in float32.
    """
    rows, frames, classes = logits.shape
    dtype = precision_of(logits)
    _rows.compile_for(dtype)
    scores = logits.detach().to(dtype)
    grad = fresh((rows, frames, classes) if need_grad else (1, 0, 0), dtype)
    nll = np.zeros(rows)
    health = np.zeros(rows)
    prior = np.zeros(classes) if ctc_batch.prior is None else ctc_batch.prior.numpy()
    input_lengths = np.array(ctc_batch.input_lengths, dtype=np.int64)
    target_lengths = np.array(ctc_batch.target_lengths, dtype=np.int64)
    work = partial(
        make_work,
        max(ctc_batch.input_lengths, default=0),
        classes,
        max(ctc_batch.target_lengths, default=0),
        scores.numpy().dtype,
        need_grad,
    )

    given = (
        grad.numpy(),
        ctc_batch.targets.numpy(),
        np.array(ctc_batch.offsets, dtype=np.int64),
        input_lengths,
    )
    wanted = (ctc_batch.blank, prior, ctc_batch.normalize, need_grad, nll, health)
    flat, steps = _flat(scores)
    # Dear rows first, so that no thread is left with one at the end.
    costs = input_lengths * (target_lengths * _COST_OF_A_LABEL + classes)
    order = np.argsort(-costs, kind="stable")
    _rows.run(rows, flat, steps, *given, order, _counter(), *wanted, own=work)
    unhealthy = np.flatnonzero(~(health < _EXACT))
    if unhealthy.size:
        fast = nll.copy()
        _logspace.compile_for(dtype)
        _logspace.run(unhealthy.size, scores.numpy(), *given, unhealthy, _counter(), *wanted)
        # A loss is the same to the last bit with and without its gradient.
        np.copyto(nll, fast, where=~np.isnan(fast))
    output = CtcOutput(
        nll=torch.from_numpy(nll),
        grad=grad if need_grad else None,
        health=torch.from_numpy(health),
    )
    return output.rounded_for(logits)


def _counter() -> np.ndarray:
    """How many rows of a list have been taken."""
    return np.zeros(1, dtype=np.int64)


def _flat(scores: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Scores [B, T, C] as one array of numbers, and its steps from row to row and frame to frame.

    Copied only where the classes of a frame do not lie together.
    """
    if scores.stride(2) != 1:
        scores = scores.contiguous()
    last = [(size - 1) * stride for size, stride in zip(scores.shape, scores.stride(), strict=True)]
    numbers = 1 + sum(last) if scores.numel() else 0
    steps = np.array(scores.stride()[:2], dtype=np.int64)
    return scores.as_strided((numbers,), (1,)).numpy(), steps
