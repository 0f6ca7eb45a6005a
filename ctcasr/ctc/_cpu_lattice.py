"""One frame of the CTC lattice in numbers m * 2^e: float64 mantissas, an int64 exponent for every state.

Neither exp nor log: adding two states is an exponent compare, a power of two built from its bits, and an add.
The exponents have no limit, so nothing under- or overflows whatever the model and the length. State u of the blank
plane stands before label u, state u of the label plane is label u; position PAD + u holds it, zeros lie around.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ctcasr.kernels.jit import bits_of, float_of, jit

PAD = 8  # states are worked off in groups of 8, one AVX-512 vector
BLANK, LABEL = 0, 1  # the two planes
ZERO = -(1 << 40)  # the exponent that stands for zero
SHIFT = 900  # emissions carry a factor 2^SHIFT, to use both sides of float64's range
_FRACTION = (1 << 52) - 1
_ONE = 1023 << 52


@jit
def pow2(e: Any) -> Any:
    """2^(e - 1023) as float64, 0 for e <= 0."""
    return float_of(max(e, 0) << 52)


@jit
def reset(m: Any, e: Any, row: Any) -> None:
    """Every state in one row of m, e [rows, 2, W] is zero."""
    for plane in range(2):
        for u in range(m.shape[2]):
            m[row, plane, u] = 1.0
            e[row, plane, u] = ZERO


@jit
def copy(m: Any, e: Any, src: Any, out_m: Any, out_e: Any, dst: Any) -> None:
    """Row src of m, e to row dst of out_m, out_e: loops, because an array assignment compiles ten times as long."""
    for plane in range(2):
        for u in range(m.shape[2]):
            out_m[dst, plane, u] = m[src, plane, u]
            out_e[dst, plane, u] = e[src, plane, u]


@jit
def alpha_step(
    m: Any, e: Any, src: Any, dst: Any, skip: Any, y: Any, y_blank: Any, lo: Any, hi: Any
) -> None:
    """alpha_t in row dst of m, e [rows, 2, W] from alpha_(t-1) in row src, states lo <= u < hi (multiples of 8)."""
    first = np.uintp(lo + PAD)
    for i in range(hi - lo):
        u = first + np.uintp(i)
        v = u - np.uintp(1)
        b, eb = m[src, BLANK, u], e[src, BLANK, u]
        k, ek = m[src, LABEL, v], e[src, LABEL, v]
        s, es = m[src, LABEL, u], e[src, LABEL, u]
        top = max(eb, ek) - 1023
        new = (b * pow2(eb - top) + k * pow2(ek - top)) * y_blank
        bits = bits_of(new)
        m[dst, BLANK, u] = float_of((bits & _FRACTION) | _ONE)
        e[dst, BLANK, u] = top + (bits >> 52)
        ek += skip[u]
        top = max(max(eb, ek), es) - 1023
        new = (b * pow2(eb - top) + k * pow2(ek - top) + s * pow2(es - top)) * y[dst, u]
        bits = bits_of(new)
        m[dst, LABEL, u] = float_of((bits & _FRACTION) | _ONE)
        e[dst, LABEL, u] = top + (bits >> 52)
    for i in range(PAD):  # the next frame may read one group further
        u = np.uintp(hi + PAD) + np.uintp(i)
        e[dst, BLANK, u] = ZERO
        e[dst, LABEL, u] = ZERO


@jit
def beta_step(
    m: Any, e: Any, src: Any, dst: Any, skip: Any, y: Any, y_blank: Any, lo: Any, hi: Any,
    am: Any, ae: Any, row: Any, base: Any, occupancy: Any,
) -> Any:  # fmt: skip
    """beta_t from row src (beta_(t+1) y_(t+1)); beta_t y_t goes to row dst, alpha_t beta_t / 2^(base + 2046) of the
    labels to occupancy [W], with alpha_t in row `row` of am, ae; returns the sum of the same over the blanks."""
    first = np.uintp(lo + PAD)
    blanks = 0.0
    for i in range(hi - lo):
        u = first + np.uintp(i)
        v = u + np.uintp(1)
        b, eb = m[src, BLANK, u], e[src, BLANK, u]
        s, es = m[src, LABEL, u], e[src, LABEL, u]
        c, ec = m[src, BLANK, v], e[src, BLANK, v]
        k, ek = m[src, LABEL, v], e[src, LABEL, v] + skip[v]
        top = max(eb, es) - 1023
        beta = b * pow2(eb - top) + s * pow2(es - top)
        blanks += am[row, BLANK, u] * beta * pow2(ae[row, BLANK, u] + top - base)
        new = beta * y_blank
        bits = bits_of(new)
        m[dst, BLANK, u] = float_of((bits & _FRACTION) | _ONE)
        e[dst, BLANK, u] = top + (bits >> 52)
        top = max(max(es, ec), ek) - 1023
        beta = s * pow2(es - top) + c * pow2(ec - top) + k * pow2(ek - top)
        occupancy[u] = am[row, LABEL, u] * beta * pow2(ae[row, LABEL, u] + top - base)
        new = beta * y[row, u]
        bits = bits_of(new)
        m[dst, LABEL, u] = float_of((bits & _FRACTION) | _ONE)
        e[dst, LABEL, u] = top + (bits >> 52)
    return blanks
