"""What one frame of scores gives the lattice: its softmax, and the emissions of some classes."""

from __future__ import annotations

import numpy as np

from ctcasr.ctc._cpu_lattice import SHIFT
from ctcasr.kernels.jit import Array, Number, exp2, jit

_LOG2E = float(np.log2(np.e))
# Exponents of two that an emission may have before its factor 2^SHIFT: float64 holds them with
# room for a few factors more.
_LOWEST = -1900.0
_HIGHEST = 100.0


# nnan lets the maximum vectorise; the sum of exp finds NaNs
@jit(fastmath={"contract", "reassoc", "nsz", "nnan"})
def load_frame(scores: Array, frame: Array) -> Number:
    """Copy scores [C] (any stride) to the start of frame; returns their maximum."""
    top = scores[0]
    for c in range(scores.size):
        score = scores[c]
        frame[c] = score
        top = score if score > top else top
    return top


@jit
def sum_exp(frame: Array, top: Number, powers: Array) -> Number:
    """powers[c] = exp(frame[c] - top) in the type of the frame; returns their float64 sum."""
    log2e = frame.dtype.type(_LOG2E)
    total = 0.0
    for c in range(frame.size):
        power = exp2((frame[c] - top) * log2e)
        powers[c] = power
        total += np.float64(power)
    return total


@jit
def scale(powers: Array, total: Number, out: Array) -> None:
    """out[c] = powers[c] / total for the classes of out [C]."""
    factor = powers.dtype.type(1.0 / total)
    for c in range(out.size):
        out[c] = powers[c] * factor


@jit
def emissions(frame: Array, top: Number, prior: Array, classes: Array, out: Array) -> Number:
    """out[i] = 2^SHIFT exp(frame[c] - prior[c] - top) for c = classes[i], in float64.

    Returns how many of them float64 cannot hold (or are no number); those are not to be used.
    """
    highest = np.float64(top)
    for i in range(classes.size):
        c = np.uintp(classes[i])
        out[i] = np.float64(frame[c]) - prior[c]
    outside = 0
    for i in range(classes.size):
        exponent = (out[i] - highest) * _LOG2E
        inside = (exponent > _LOWEST) & (exponent < _HIGHEST)
        outside += 0 if inside else 1
        out[i] = exp2(exponent + SHIFT)
    return outside


@jit
def clear(grad: Array, start: Number, end: Number) -> None:
    """grad[start:end] = 0."""
    for t in range(start, end):
        for c in range(grad.shape[1]):
            grad[t, c] = 0
