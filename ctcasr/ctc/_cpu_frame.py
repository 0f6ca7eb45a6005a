"""What one frame of scores gives the lattice: its softmax, and the emissions of some classes."""

from __future__ import annotations

import numpy as np

from ctcasr.ctc._cpu_lattice import below_one
from ctcasr.kernels.jit import Array, Number, bits_of, exp2, jit

_LOG2E = float(np.log2(np.e))
LANES = 16  # a frame is padded to whole groups of so many classes
# Exponents of two that an emission may have.
_LOWEST = -1000.0
_HIGHEST = 1.0
_UNBEARABLE = 1 << 20


# nnan lets the maximum vectorise; the sum of exp finds NaNs
@jit(fastmath={"contract", "reassoc", "nsz", "nnan"})
def load_frame(scores: Array, frame: Array, highest: Array) -> Number:
    """Copy scores [C] to the start of frame, which is padded with -inf; returns their maximum.

    Lanes of the frame keep a maximum each in highest [LANES]: LLVM makes no vectors of one maximum.
    """
    for c in range(scores.size):
        frame[c] = scores[c]
    for lane in range(LANES):
        highest[lane] = frame[lane]
    for group in range(1, frame.size // LANES):
        start = np.uintp(group * LANES)
        for lane in range(LANES):
            score = frame[start + np.uintp(lane)]
            highest[lane] = score if score > highest[lane] else highest[lane]
    top = highest[0]
    for lane in range(LANES):
        top = highest[lane] if highest[lane] > top else top
    return top


@jit
def sum_exp(frame: Array, top: Number, powers: Array) -> Number:
    """powers[c] = exp(frame[c] - top) in the type of the frame; returns their float64 sum."""
    log2e = frame.dtype.type(_LOG2E)
    for c in range(frame.size):
        powers[c] = exp2((frame[c] - top) * log2e)
    # by itself: vectors of both loops would have as few numbers as those of float64
    total = 0.0
    for c in range(frame.size):
        total += np.float64(powers[c])
    return total


@jit
def divide(powers: Array, total: Number, out: Array) -> None:
    """out[c] = powers[c] / total for the classes of out [C]."""
    factor = powers.dtype.type(1.0 / total)
    for c in range(out.size):
        out[c] = powers[c] * factor


@jit
def emissions(frame: Array, highest: Number, prior: Array, classes: Array, out: Array) -> Number:
    """out[i] = exp(frame[c] - prior[c] - highest) for c = classes[i], in float64.

    Returns how many powers of two the smallest takes away; more than any lattice can bear where
    one is too large or small for float64, or no number.
    """
    for i in range(classes.size):
        c = np.uintp(classes[i])
        out[i] = np.float64(frame[c]) - prior[c]
    outside = 0
    lowest = bits_of(1.0)
    for i in range(classes.size):
        exponent = (out[i] - highest) * _LOG2E
        inside = (exponent > _LOWEST) & (exponent < _HIGHEST)
        outside += 0 if inside else 1
        power = exp2(exponent)
        lowest = min(lowest, bits_of(power))  # of positive numbers, bits order as they do
        out[i] = power
    return _UNBEARABLE if outside else below_one(lowest)


@jit
def clear(grad: Array, start: Number, end: Number) -> None:
    """grad[start:end] = 0."""
    for t in range(start, end):
        for c in range(grad.shape[1]):
            grad[t, c] = 0
