"""CTC on the CPU: compiled rows on as many threads as torch uses; the same bits every time."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numba import types
from torch import Tensor

from ctcasr.ctc._cpu_kernel import DOUBLES, INTEGERS, CpuKernel, Signature
from ctcasr.ctc._cpu_rows import run_rows
from ctcasr.ctc._memory import fresh
from ctcasr.ctc.batch import CtcBatch, CtcOutput, precision_of

_COST_OF_A_LABEL = 8  # in a frame, as against that of a class in the softmax


def _signature(real: Any) -> Signature:
    """Of `run_rows`, for scores of any stride."""
    return (
        types.Array(real, 3, "A"),  # scores
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


_rows = CpuKernel(run_rows, _signature)


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
    # Dear rows first, so that no thread is left with one at the end.
    costs = input_lengths * (target_lengths * _COST_OF_A_LABEL + classes)
    order = np.argsort(-costs, kind="stable")
    _rows.run(
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
    output = CtcOutput(
        nll=torch.from_numpy(nll),
        grad=grad if need_grad else None,
        health=torch.from_numpy(health),
    )
    return output.rounded_for(logits)
