"""What one frame of scores gives the lattice: its softmax, and the emissions of the classes that the target names."""

from __future__ import annotations

from typing import Any

import numpy as np

from ctcasr.ctc._cpu_lattice import SHIFT
from ctcasr.kernels.jit import exp2, jit

_LOG2E = float(np.log2(np.e))


@jit(
    fastmath={"contract", "reassoc", "nsz", "nnan"}
)  # nnan lets the maximum vectorise; the sum of exp finds NaNs
def load_frame(scores: Any, frame: Any) -> Any:
    """Copy scores [C] (any stride) to the start of frame; returns their maximum."""
    top = scores[0]
    for c in range(scores.size):
        x = scores[c]
        frame[c] = x
        top = x if x > top else top
    return top


@jit
def sum_exp(frame: Any, top: Any, powers: Any) -> Any:
    """powers[c] = exp(frame[c] - top) in the type of the frame, -inf beyond the classes; returns their float64 sum."""
    log2e = frame.dtype.type(_LOG2E)
    total = 0.0
    for c in range(frame.size):
        p = exp2((frame[c] - top) * log2e)
        powers[c] = p
        total += np.float64(p)
    return total


@jit
def scale(powers: Any, total: Any, out: Any) -> None:
    """out[c] = powers[c] / total for the classes of out [C]."""
    factor = powers.dtype.type(1.0 / total)
    for c in range(out.size):
        out[c] = powers[c] * factor


@jit
def emissions(frame: Any, top: Any, prior: Any, classes: Any, out: Any) -> Any:
    """out[i] = 2^SHIFT exp(frame[c] - prior[c] - top) for c = classes[i], in float64.

    Returns how many of them float64 cannot hold (or are not a number); those are not to be used.
    """
    high = np.float64(top)
    for i in range(classes.size):
        c = np.uintp(classes[i])
        out[i] = np.float64(frame[c]) - prior[c]
    outside = 0
    for i in range(classes.size):
        x = (out[i] - high) * _LOG2E
        outside += 0 if (x > -1900.0) & (x < 100.0) else 1
        out[i] = exp2(x + SHIFT)
    return outside


@jit
def clear(grad: Any, start: Any, end: Any) -> None:
    """grad[start:end] = 0."""
    for t in range(start, end):
        for c in range(grad.shape[1]):
            grad[t, c] = 0
