"""One frame of the CTC lattice in float64, scaled by powers of two that change every few frames.

Every state has an exponent e of its own: stored is its probability times 2^-e. Between two scalings
a frame is multiplied and added, nothing else; what a state hands on is multiplied by powers of two
that were made with the scaling. Exponents have no limit, so nothing overflows whatever the model
and the length; what underflow would take is counted, and its row is done again in log space. State
u of the blank plane stands before label u, state u of the label plane is label u; position PAD + u
holds it, zeros lie around.
"""

from __future__ import annotations

import numpy as np

from ctcasr.kernels.jit import Array, Number, bits_of, float_of, jit

PAD = 8  # places are worked off in groups of 8, one AVX-512 vector
BLANK = 0  # the planes of blanks and of labels
LABEL = 1
NOWHERE = -(1 << 40)  # the exponent of what nothing reaches
# What float64 holds between two scalings, 2^-1022 to 2^1023, is shared out. Where a scaling leaves
# a state below what hands it mass, and what the frames up to the next one take, may come to
# 2^-BEARABLE together; from 2^-DECAY on a scaling is due. What is handed on, from state to state,
# grows by at most 2^reach in each frame, by 2^GROWTH in all of them together; the surer the
# network, the further lie states apart, and the further they have to reach.
BEARABLE = 1000
DECAY = 250
GROWTH = 480
LEAST_REACH = 15
FRAMES = GROWTH // LEAST_REACH
# The ways into a state that do not come from itself, each with its power of two: forward to a blank
# from the label before, to a label from its blank, to a label from the label before; backward to a
# blank from its label, to a label from the next blank, to a label from the next label.
TO_BLANK = 0
FROM_BLANK = 1
SKIPPING = 2
# The parts of a float64: 52 bits of fraction, and an exponent that counts from BIAS.
_FRACTION_BITS = 52
BIAS = 1023


@jit
def pow2(exponent: Number) -> Number:
    """2^exponent as float64, 0 for exponent <= -1023 and 2^1023 for all that are larger."""
    return float_of(min(max(exponent + BIAS, 0), 2 * BIAS) << _FRACTION_BITS)


@jit
def exponent_of(value: Number) -> Number:
    """e of a positive float64 value = m 2^e with 1 <= m < 2."""
    return (bits_of(value) >> _FRACTION_BITS) - BIAS


@jit
def below_one(bits: Number) -> Number:
    """Powers of two that the float64 of these bits, at most 1, lies below 1."""
    return (bits_of(1.0) - bits) >> _FRACTION_BITS


@jit
def reset(m: Array, row: Number) -> None:
    """Every place in one row of m [rows, 2, P] is zero."""
    for plane in range(2):
        for place in range(m.shape[2]):
            m[row, plane, place] = 0.0


@jit
def copy(
    m: Array,
    e: Array,
    source: Number,
    source_e: Number,
    out_m: Array,
    out_e: Array,
    target: Number,
) -> None:
    """Row `source` of m and `source_e` of e, both [rows, 2, P], to rows `target`.

    In loops, because an array assignment compiles ten times as long.
    """
    for plane in range(2):
        for place in range(m.shape[2]):
            out_m[target, plane, place] = m[source, plane, place]
            out_e[target, plane, place] = e[source_e, plane, place]


@jit
def settled(value: Number, old: Number, arriving: Number, reach: Number) -> Number:
    """The new exponent of a state, from its old one and the highest that hands it mass."""
    if value > 0.0:
        return max(old + exponent_of(value), arriving - reach)
    return arriving


@jit
def scale_alphas(
    m: Array,
    row: Number,
    old: Array,
    new: Array,
    gain: Array,
    skip: Array,
    reach: Number,
    low: Number,
    high: Number,
) -> Number:
    """Scale alphas in a row of m [rows, 2, P] anew, from exponents old [2, P] to new [2, P].

    Of the labels low <= u < high; those that FRAMES frames more can reach get exponents, too.
    Returns the powers of two that the smallest state lies below 1.
    """
    blank_e = NOWHERE
    label_e = NOWHERE
    for i in range(high - low):
        place = np.uintp(low + PAD) + np.uintp(i)
        blank_e = settled(m[row, BLANK, place], old[BLANK, place], label_e, reach)
        arriving = max(blank_e, label_e) if skip[place] > 0.0 else blank_e
        label_e = settled(m[row, LABEL, place], old[LABEL, place], arriving, reach)
        gain[BLANK, place] = old[BLANK, place] - blank_e
        gain[LABEL, place] = old[LABEL, place] - label_e
        new[BLANK, place] = blank_e
        new[LABEL, place] = label_e
    for ahead in range(high + PAD, min(high + PAD + FRAMES, new.shape[1])):
        new[BLANK, ahead] = label_e
        new[LABEL, ahead] = label_e
    return multiply(m, row, gain, low, high)


@jit
def scale_betas(
    m: Array,
    row: Number,
    e: Array,
    gain: Array,
    skip: Array,
    reach: Number,
    low: Number,
    high: Number,
) -> Number:
    """Scale betas likewise, from the last label to the first, changing their exponents e [2, P]."""
    blank_e = NOWHERE
    label_e = NOWHERE
    for i in range(high - low):
        place = np.uintp(high + PAD - 1) - np.uintp(i)
        skips = skip[place + np.uintp(1)] > 0.0
        arriving = max(blank_e, label_e) if skips else blank_e
        label_e = settled(m[row, LABEL, place], e[LABEL, place], arriving, reach)
        blank_e = settled(m[row, BLANK, place], e[BLANK, place], label_e, reach)
        gain[BLANK, place] = e[BLANK, place] - blank_e
        gain[LABEL, place] = e[LABEL, place] - label_e
        e[BLANK, place] = blank_e
        e[LABEL, place] = label_e
    for ahead in range(max(low + PAD - FRAMES, 0), low + PAD):
        e[BLANK, ahead] = blank_e
        e[LABEL, ahead] = blank_e
    return multiply(m, row, gain, low, high)


@jit
def multiply(m: Array, row: Number, gain: Array, low: Number, high: Number) -> Number:
    """Multiply states by 2^gain, of gain [2, P]; returns how far the smallest lies below 1."""
    lowest = bits_of(1.0)
    for plane in range(2):
        for i in range(high - low):
            place = np.uintp(low + PAD) + np.uintp(i)
            value = m[row, plane, place]
            scaled = value * pow2(gain[plane, place])
            bits = bits_of(scaled) if value > 0.0 else lowest
            lowest = min(lowest, bits)  # of positive numbers, bits order as they do
            m[row, plane, place] = scaled
    return below_one(lowest)


@jit
def alpha_ways(e: Array, skip: Array, ways: Array, low: Number, high: Number) -> None:
    """The powers of two of the ways forward, ways [3, P], from the exponents e [2, P].

    For low <= u < high and what FRAMES frames more can reach; nothing comes from before `low`.
    """
    first = np.uintp(low + PAD)
    for i in range(min(high + FRAMES, e.shape[1] - PAD) - low):
        place = first + np.uintp(i)
        left = place - np.uintp(1)
        ways[TO_BLANK, place] = pow2(e[LABEL, left] - e[BLANK, place])
        ways[FROM_BLANK, place] = pow2(e[BLANK, place] - e[LABEL, place])
        ways[SKIPPING, place] = pow2(e[LABEL, left] - e[LABEL, place]) * skip[place]
    ways[TO_BLANK, first] = 0.0
    ways[SKIPPING, first] = 0.0


@jit
def beta_ways(e: Array, skip: Array, ways: Array, low: Number, high: Number) -> None:
    """Those of the ways backward, for low <= u < high and what FRAMES frames before can reach."""
    first = np.uintp(max(low + PAD - FRAMES, 0))
    last = np.uintp(high + PAD - 1)
    for i in range(last - first + np.uintp(1)):
        place = first + np.uintp(i)
        right = place + np.uintp(1)
        ways[TO_BLANK, place] = pow2(e[LABEL, place] - e[BLANK, place])
        ways[FROM_BLANK, place] = pow2(e[BLANK, right] - e[LABEL, place])
        ways[SKIPPING, place] = pow2(e[LABEL, right] - e[LABEL, place]) * skip[right]
    ways[FROM_BLANK, last] = 0.0
    ways[SKIPPING, last] = 0.0


@jit
def alpha_step(
    m: Array,
    before: Number,
    row: Number,
    ways: Array,
    emission: Array,
    blank_emission: Number,
    low: Number,
    high: Number,
) -> None:
    """alpha_t in a row of m [rows, 2, P] from alpha_(t-1) in row `before`.

    For the states low <= u < high, both multiples of PAD; emission [rows, P] is that of the labels.
    """
    first = np.uintp(low + PAD)
    for i in range(high - low):
        place = first + np.uintp(i)
        blank = m[before, BLANK, place]
        label = m[before, LABEL, place]
        previous = m[before, LABEL, place - np.uintp(1)]
        to_blank = blank + previous * ways[TO_BLANK, place]
        to_label = label + blank * ways[FROM_BLANK, place] + previous * ways[SKIPPING, place]
        m[row, BLANK, place] = to_blank * blank_emission
        m[row, LABEL, place] = to_label * emission[row, place]
    for i in range(PAD):  # the next frame may read one group further
        place = np.uintp(high + PAD) + np.uintp(i)
        m[row, BLANK, place] = 0.0
        m[row, LABEL, place] = 0.0


@jit
def beta_step(
    m: Array,
    after: Number,
    row: Number,
    ways: Array,
    emission: Array,
    blank_emission: Number,
    low: Number,
    high: Number,
    alpha_m: Array,
    alpha_row: Number,
    joint: Array,
    occupancy: Array,
) -> Number:
    """beta_t times its emissions to `row`, from beta_(t+1) times its emissions in row `after`.

    Writes alpha_t beta_t joint of the labels to occupancy [P], with alpha_t in row `alpha_row` and
    joint [2, P] the powers of two that both lack; returns the sum of the same over the blanks.
    """
    first = np.uintp(low + PAD)
    blanks = 0.0
    for i in range(high - low):
        place = first + np.uintp(i)
        right = place + np.uintp(1)
        blank = m[after, BLANK, place]
        label = m[after, LABEL, place]
        next_blank = m[after, BLANK, right] * ways[FROM_BLANK, place]
        next_label = m[after, LABEL, right] * ways[SKIPPING, place]
        from_blank = blank + label * ways[TO_BLANK, place]
        from_label = label + next_blank + next_label
        blanks += alpha_m[alpha_row, BLANK, place] * joint[BLANK, place] * from_blank
        occupancy[place] = alpha_m[alpha_row, LABEL, place] * joint[LABEL, place] * from_label
        m[row, BLANK, place] = from_blank * blank_emission
        m[row, LABEL, place] = from_label * emission[alpha_row, place]
    return blanks
