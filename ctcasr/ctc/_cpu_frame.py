"""What one frame of scores gives the lattice: its softmax, and the emissions of the classes that the target names."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._cpu_jit import _compile, exp2, jit
from ._cpu_lattice import SHIFT

_LOG2E = float(np.log2(np.e))


@_compile({"contract", "reassoc", "nsz", "nnan"})  # nnan lets the maximum vectorise; the sum of exp finds NaNs
def load_frame(scores: Any, out: Any) -> Any:
    """Copy scores [C] (any stride) to out [C]; returns their maximum."""
    top = scores[0]
    for c in range(out.size):
        x = scores[c]
        out[c] = x
        top = x if x > top else top
    return top


@jit
def softmax(frame: Any, top: Any, out: Any) -> Any:
    """out [C] = softmax of frame [C]; returns sum_c exp(frame[c] - top). Computed in the type of `frame`."""
    log2e = frame.dtype.type(_LOG2E)
    total = top - top
    for c in range(frame.size):
        p = exp2((frame[c] - top) * log2e)
        out[c] = p
        total += p
    scale = frame.dtype.type(1.0) / total
    for c in range(frame.size):
        out[c] *= scale
    return total


@jit
def sum_exp(frame: Any, top: Any) -> Any:
    """sum_c exp(frame[c] - top), to the bit what `softmax` returns."""
    log2e = frame.dtype.type(_LOG2E)
    total = top - top
    for c in range(frame.size):
        total += exp2((frame[c] - top) * log2e)
    return total


@jit
def emissions(frame: Any, prior: Any, classes: Any, out: Any) -> Any:
    """out[i] = 2^SHIFT exp(v_i - max v) with v_i = frame[classes[i]] - prior[classes[i]], in float64.

    Returns max v, or NaN if an emission is too small for float64 (or is not a number).
    """
    count = classes.size
    top = -np.inf
    for i in range(count):
        c = np.uintp(classes[i])
        v = np.float64(frame[c]) - prior[c]
        out[i] = v
        top = v if v > top else top
    low = 0.0
    for i in range(count):
        x = (out[i] - top) * _LOG2E
        low = x if not x >= low else low
        out[i] = exp2(x + SHIFT)
    return top if low > -1000.0 - SHIFT else np.nan
