"""One frame of the CTC lattice in numbers m * 2^e: float64 mantissas, int64 exponents.

Every state has an exponent of its own. Neither exp nor log: adding two states is an exponent
compare, a power of two built from its bits, and an add. The exponents have no limit, so nothing
under- or overflows whatever the model and the length. State u of the blank plane stands before
label u, state u of the label plane is label u; position PAD + u holds it, zeros lie around.
"""

from __future__ import annotations

import numpy as np

from ctcasr.kernels.jit import Array, Number, bits_of, float_of, jit

PAD = 8  # states are worked off in groups of 8, one AVX-512 vector
BLANK = 0  # the planes of blanks and of labels
LABEL = 1
ZERO = -(1 << 40)  # the exponent that stands for zero
SHIFT = 900  # emissions carry a factor 2^SHIFT, to use both sides of float64's range
# The parts of a float64: 52 bits of fraction, and an exponent that counts from BIAS.
_FRACTION_BITS = 52
_FRACTION = (1 << _FRACTION_BITS) - 1
BIAS = 1023
_ONE = BIAS << _FRACTION_BITS


@jit
def pow2(exponent: Number) -> Number:
    """2^(exponent - BIAS) as float64, 0 for exponent <= 0."""
    return float_of(max(exponent, 0) << _FRACTION_BITS)


@jit
def reset(m: Array, e: Array, row: Number) -> None:
    """Every state in one row of m, e [rows, 2, P] is zero."""
    for plane in range(2):
        for place in range(m.shape[2]):
            m[row, plane, place] = 1.0
            e[row, plane, place] = ZERO


@jit
def copy(
    m: Array,
    e: Array,
    source: Number,
    out_m: Array,
    out_e: Array,
    target: Number,
) -> None:
    """Row `source` of m, e to row `target` of out_m, out_e.

    In loops, because an array assignment compiles ten times as long.
    """
    for plane in range(2):
        for place in range(m.shape[2]):
            out_m[target, plane, place] = m[source, plane, place]
            out_e[target, plane, place] = e[source, plane, place]


@jit
def put(
    m: Array, e: Array, row: Number, plane: Number, place: Number, value: Number, base: Number
) -> None:
    """Store value * 2^base with the mantissa in 1 <= m < 2."""
    bits = bits_of(value)
    m[row, plane, place] = float_of((bits & _FRACTION) | _ONE)
    e[row, plane, place] = base + (bits >> _FRACTION_BITS)


@jit
def alpha_step(
    m: Array,
    e: Array,
    before: Number,
    row: Number,
    skip: Array,
    emission: Array,
    blank_emission: Number,
    low: Number,
    high: Number,
) -> None:
    """alpha_t in a row of m, e [rows, 2, P] from alpha_(t-1) in row `before`.

    For the states low <= u < high, both multiples of PAD; emission [rows, P] is that of the labels.
    """
    first = np.uintp(low + PAD)
    for i in range(high - low):
        place = first + np.uintp(i)
        left = place - np.uintp(1)
        blank = m[before, BLANK, place]
        blank_e = e[before, BLANK, place]
        previous = m[before, LABEL, left]
        previous_e = e[before, LABEL, left]
        label = m[before, LABEL, place]
        label_e = e[before, LABEL, place]

        top = max(blank_e, previous_e) - BIAS
        total = blank * pow2(blank_e - top) + previous * pow2(previous_e - top)
        put(m, e, row, BLANK, place, total * blank_emission, top)

        previous_e += skip[place]
        top = max(max(blank_e, previous_e), label_e) - BIAS
        total = blank * pow2(blank_e - top) + previous * pow2(previous_e - top)
        total += label * pow2(label_e - top)
        put(m, e, row, LABEL, place, total * emission[row, place], top)
    for i in range(PAD):  # the next frame may read one group further
        place = np.uintp(high + PAD) + np.uintp(i)
        e[row, BLANK, place] = ZERO
        e[row, LABEL, place] = ZERO


@jit
def beta_step(
    m: Array,
    e: Array,
    after: Number,
    row: Number,
    skip: Array,
    emission: Array,
    blank_emission: Number,
    low: Number,
    high: Number,
    alpha_m: Array,
    alpha_e: Array,
    alpha_row: Number,
    base: Number,
    occupancy: Array,
) -> Number:
    """beta_t times its emissions to `row`, from beta_(t+1) times its emissions in row `after`.

    Writes alpha_t beta_t / 2^(base + 2 BIAS) of the labels to occupancy [P], with alpha_t in row
    `alpha_row`; returns the sum of the same over the blanks.
    """
    first = np.uintp(low + PAD)
    blanks = 0.0
    for i in range(high - low):
        place = first + np.uintp(i)
        right = place + np.uintp(1)
        blank = m[after, BLANK, place]
        blank_e = e[after, BLANK, place]
        label = m[after, LABEL, place]
        label_e = e[after, LABEL, place]
        next_blank = m[after, BLANK, right]
        next_blank_e = e[after, BLANK, right]
        next_label = m[after, LABEL, right]
        next_label_e = e[after, LABEL, right] + skip[right]

        top = max(blank_e, label_e) - BIAS
        beta = blank * pow2(blank_e - top) + label * pow2(label_e - top)
        scaled = pow2(alpha_e[alpha_row, BLANK, place] + top - base)
        blanks += alpha_m[alpha_row, BLANK, place] * beta * scaled
        put(m, e, row, BLANK, place, beta * blank_emission, top)

        top = max(max(label_e, next_blank_e), next_label_e) - BIAS
        beta = label * pow2(label_e - top) + next_blank * pow2(next_blank_e - top)
        beta += next_label * pow2(next_label_e - top)
        scaled = pow2(alpha_e[alpha_row, LABEL, place] + top - base)
        occupancy[place] = alpha_m[alpha_row, LABEL, place] * beta * scaled
        put(m, e, row, LABEL, place, beta * emission[alpha_row, place], top)
    return blanks
