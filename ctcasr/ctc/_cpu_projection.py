"""The softmax of a chunk of frames in place, and what the lattice wants of it, in one sweep."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numba import types
from torch import Tensor

from ctcasr.ctc._cpu_frame import LANES, divide, load_frame, sum_exp
from ctcasr.ctc._cpu_kernel import DOUBLES, INTEGERS, CpuKernel, Signature
from ctcasr.kernels.jit import Array, Function, Number, cached, take_next

if TYPE_CHECKING:
    from ctcasr.ctc.projection import FramePlaces

_TAKEN = 8  # frames that a thread takes at once


def softmax_chunk(
    logits: Tensor,
    classes: Tensor,
    chunk: FramePlaces,
    columns: Tensor,
    blank_probs: Tensor,
    best: Tensor,
    need_best: bool,
) -> None:
    """Logits [n, C] become their softmax, times the weight of the row of each frame.

    Writes by place the log-probabilities of the `classes` [R, N] of each frame's row to `columns`
    [R * T, N] (float64), that of the first of them to `blank_probs` [R * T] and, where asked for,
    the best class to `best` [R * T].
    """
    _frames.compile_for(logits.dtype)
    groups = math.ceil(logits.shape[0] / _TAKEN)
    _frames.run(
        groups,
        logits.numpy(),
        classes.numpy(),
        chunk.rows.numpy(),
        chunk.places.numpy(),
        chunk.weights.numpy(),
        columns.numpy(),
        blank_probs.numpy(),
        best.numpy(),
        need_best,
        np.zeros(1, dtype=np.int64),  # how many groups of frames have been taken
    )


@cached("_cpu_[flp]*.py")
def softmax_frames(version: int) -> Function:
    """The compiled loop over frames."""

    def frames(
        logits: Array,
        classes: Array,
        rows: Array,
        places: Array,
        weights: Array,
        columns: Array,
        blank_probs: Array,
        best: Array,
        need_best: Number,
        counter: Array,
    ) -> None:
        """Do frames of logits [n, C] off the counter, which all threads share."""
        _ = version
        count = logits.shape[1]
        wide = (count + LANES - 1) // LANES * LANES
        frame = np.full(wide, -np.inf, logits.dtype)
        powers = np.empty(wide, logits.dtype)
        highest = np.empty(LANES, logits.dtype)
        while True:
            start = take_next(counter) * _TAKEN
            if start >= logits.shape[0]:
                return
            for t in range(start, min(start + _TAKEN, logits.shape[0])):
                top = load_frame(logits[t], frame, highest)
                total = sum_exp(frame, top, powers)
                divide(powers, total / weights[t], logits[t])
                norm = np.float64(top) + np.log(total)
                place = places[t]
                named = classes[rows[t]]
                for i in range(named.size):
                    columns[place, i] = np.float64(frame[named[i]]) - norm
                blank_probs[place] = np.exp(columns[place, 0])
                if need_best:
                    first = np.int32(wide)
                    for c in range(wide):
                        candidate = np.int32(c) if frame[c] == top else np.int32(wide)
                        first = min(first, candidate)
                    best[place] = first

    return frames


def _signature(real: Any) -> Signature:
    """Of `softmax_frames`."""
    return (
        types.Array(real, 2, "C"),  # logits
        types.Array(types.int64, 2, "C"),  # classes
        INTEGERS,  # rows
        INTEGERS,  # places
        DOUBLES,  # weights
        types.Array(types.float64, 2, "C"),  # columns
        DOUBLES,  # blank_probs
        INTEGERS,  # best
        types.boolean,  # need_best
        INTEGERS,  # counter
    )


_frames = CpuKernel(softmax_frames, _signature)
