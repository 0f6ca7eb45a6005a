"""Rows of a batch, one by one: softmax, lattice and gradient in one sweep forth and one back."""

from __future__ import annotations

import numpy as np

from ctcasr.ctc._cpu_frame import clear, divide, emissions, load_frame, sum_exp
from ctcasr.ctc._cpu_lattice import (
    BEARABLE,
    BLANK,
    DECAY,
    FRAMES,
    GROWTH,
    LABEL,
    LEAST_REACH,
    PAD,
    alpha_step,
    alpha_ways,
    beta_step,
    beta_ways,
    copy,
    pow2,
    reset,
    scale_alphas,
    scale_betas,
)
from ctcasr.ctc._cpu_work import Work, add_shares, distinct, gather, subtract
from ctcasr.kernels.jit import Array, Function, Number, cached, jit, jit_inline, take_next

_LARGE = 1e200  # the product of the softmax sums goes into a logarithm before it overflows
_LN2 = float(np.log(2.0))


@jit
def low_state(t: Number, frames: Number, labels: Number) -> Number:
    """First state in frame t from which the target can still be finished, down to a group."""
    return max(labels - (frames - t), 0) // PAD * PAD


@jit
def high_state(t: Number, labels: Number) -> Number:
    """One past the last state that frame t can have reached, rounded up to a group."""
    return min(t + 1, labels) // PAD * PAD + PAD


@jit
def one_row(
    scores: Array,
    step: Number,
    frames: Number,
    grad: Array,
    labels: Array,
    blank: Number,
    prior: Array,
    normalize: Number,
    need_grad: Number,
    work: Work,
) -> Number:
    """Loss and health of one row; writes grad [>= frames, C].

    Scores [n] hold a frame every `step` numbers. The health is the spread of sum_s alpha beta over
    the frames, infinite where float64 did not hold all of it; the loss is NaN if not even that.
    """
    needed = labels.size
    for place in range(work.skip.size):
        work.skip[place] = 0.0
    for u in range(1, labels.size):
        if labels[u] == labels[u - 1]:
            needed += 1
        else:
            work.skip[PAD + u] = 1.0
    if frames < needed:
        if need_grad:
            clear(grad, 0, frames)
        return np.inf, 0.0

    count = distinct(labels, blank, work)
    padded = work.classes[: (count + PAD - 1) // PAD * PAD]
    good, loss, exponent = forward(
        scores, step, frames, grad, padded, labels.size, prior, normalize, need_grad, work
    )
    if not good:
        return np.nan, np.inf
    if not need_grad or frames == 0:
        return loss, 0.0
    return loss, backward(frames, grad, work.classes[:count], labels.size, exponent, work)


@jit
def forward(
    scores: Array,
    step: Number,
    frames: Number,
    grad: Array,
    classes: Array,
    labels: Number,
    prior: Array,
    normalize: Number,
    need_grad: Number,
    work: Work,
) -> Number:
    """Softmax into grad and alphas of all frames, those of the last block kept in `work`.

    Returns whether float64 held all of it, the loss, and the exponent of the sum over paths.
    """
    block = work.m.shape[0] - 1
    begin(work)
    row = 0
    lift = -np.inf  # so that the prior makes no emission larger than 1
    for i in range(classes.size):
        lift = max(lift, -prior[classes[i]])
    # -log of what the emissions lack: from the maxima, from the sums of the softmax
    shift = 0.0
    product = 1.0
    unscaled = 0  # frames since the exponents were made, how far they reach, and what is lacking
    reach = LEAST_REACH
    decay = 0
    for t in range(frames):
        if t % block == 0:
            begin_block(t // block, row, need_grad, work)
            row = 0
        frame = scores[t * step : t * step + work.position.size]
        top = load_frame(frame, work.frame, work.highest)
        if normalize:
            total = sum_exp(work.frame, top, work.powers)
            if need_grad:
                divide(work.powers, total, grad[t])
            product *= total
            if not product < _LARGE:
                shift += np.log(product)
                product = 1.0
        else:
            shift -= np.float64(top)
            if need_grad:
                clear(grad, t, t + 1)
        y = work.y[t if need_grad else 0]
        work.taken[t] = emissions(work.frame, np.float64(top) + lift, prior, classes, y)
        decay += work.taken[t]
        if decay > BEARABLE or not np.isfinite(shift):
            return False, 0.0, 0
        unscaled += 1
        due = (unscaled + 1) * reach > GROWTH or decay > DECAY or (t + 1) % FRAMES == 0
        work.reach[t] = min(max(2 * work.taken[t], LEAST_REACH), GROWTH) if due else 0
        row += 1
        lacking = alpha_frame(t, frames, labels, y, row, work)
        if due:
            unscaled = 0
            reach = work.reach[t]
            decay = lacking
    shift += np.log(product) - frames * lift
    good, loss, exponent = loss_of(frames, labels, row, shift, work)
    return good, loss, exponent


@jit
def begin_block(b: Number, row: Number, keep: Number, work: Work) -> None:
    """Row 0 holds what the last row of the block before held; kept, where alphas come back."""
    if row:
        copy(work.m, work.e, row, work.origin[row], work.m, work.e, 0)
    if keep:
        copy(work.m, work.e, 0, 0, work.kept_m, work.kept_e, b)


@jit
def begin(work: Work) -> None:
    """Row 0 holds the alphas before the first frame: in front of the first label."""
    reset(work.m, 0)
    work.m[0, BLANK, PAD] = 1.0
    work.origin[0] = 0
    for plane in range(2):
        for place in range(work.e.shape[2]):
            work.e[0, plane, place] = 0
    alpha_ways(work.e[0], work.skip, work.ways, 0, PAD)


@jit
def resume(b: Number, start: Number, frames: Number, labels: Number, work: Work) -> None:
    """Row 0 holds the alphas before frame `start`, the first of block b."""
    if b == 0:
        begin(work)
        return
    copy(work.kept_m, work.kept_e, b, b, work.m, work.e, 0)
    work.origin[0] = 0
    low = low_state(start - 1, frames, labels)
    high = high_state(start - 1, labels)
    alpha_ways(work.e[0], work.skip, work.ways, low, high)


@jit_inline
def alpha_frame(
    t: Number, frames: Number, labels: Number, y: Array, row: Number, work: Work
) -> Number:
    """The alphas of frame t to a row of the block, scaled where it is due.

    Returns what the smallest of them lacks after scaling.
    """
    low = low_state(t, frames, labels)
    high = high_state(t, labels)
    gather(y, work.index, work.spread, row, low, high)
    alpha_step(work.m, row - 1, row, work.ways, work.spread, y[0], low, high)
    work.origin[row] = work.origin[row - 1]
    reach = work.reach[t]
    if reach == 0:
        return 0
    old = work.e[work.origin[row]]
    new = work.e[row]
    lacking = scale_alphas(work.m, row, old, new, work.gain, work.skip, reach, low, high)
    alpha_ways(new, work.skip, work.ways, low, high)
    work.origin[row] = row
    return lacking


@jit
def loss_of(frames: Number, labels: Number, row: Number, shift: Number, work: Work) -> Number:
    """Whether the loss is finite, the loss, and the exponent of the sum over all paths.

    From the last two states in a row of the block and `shift`, what their emissions lack.
    """
    last_blank = np.uintp(PAD + labels)
    last_label = np.uintp(PAD + labels - 1)  # zero where there is none
    blank_e = work.e[work.origin[row], BLANK, last_blank]
    label_e = work.e[work.origin[row], LABEL, last_label] if labels > 0 else blank_e
    exponent = max(blank_e, label_e)
    z = work.m[row, BLANK, last_blank] * pow2(blank_e - exponent)
    z += work.m[row, LABEL, last_label] * pow2(label_e - exponent)
    if not z > 0.0:
        return z == 0.0, np.inf, 0
    loss = shift - np.log(z) - exponent * _LN2
    return np.isfinite(loss), loss, exponent


@jit
def backward(
    frames: Number,
    grad: Array,
    classes: Array,
    labels: Number,
    exponent: Number,
    work: Work,
) -> Number:
    """Betas from the last frame to the first; subtracts the occupancies from grad.

    Returns the spread of their sums over the frames, infinite where float64 did not hold all of it.
    """
    block = work.m.shape[0] - 1
    # Names of their own: taken out of `work` in every frame they cost 4 % of the whole.
    beta_m = work.beta_m
    beta_e = work.beta_e
    reset(beta_m, 0)
    reset(beta_m, 1)
    # after the last frame: behind the last label
    beta_m[frames % 2, BLANK, PAD + labels] = 1.0
    for plane in range(2):
        for place in range(beta_e.shape[1]):
            beta_e[plane, place] = 0
    high = high_state(frames - 1, labels)
    beta_ways(beta_e, work.skip, work.beta_ways, low_state(frames - 1, frames, labels), high)
    lowest = np.inf
    highest = 0.0
    decay = 0
    good = True
    last = (frames - 1) // block
    for b in range(last, -1, -1):
        start = b * block
        end = min(start + block, frames)
        if b < last:
            resume(b, start, frames, labels, work)
            for t in range(start, end):
                alpha_frame(t, frames, labels, work.y[t], t - start + 1, work)
        joined = -1
        for t in range(end - 1, start - 1, -1):
            row = t - start + 1
            low = low_state(t, frames, labels)
            high = high_state(t, labels)
            origin = work.origin[row]
            if origin != joined:
                decay = meet_alphas(t, start, frames, labels, exponent, beta_m, beta_e, work)
                joined = origin
            blanks = beta_step(
                beta_m,
                (t + 1) % 2,
                t % 2,
                work.beta_ways,
                work.spread,
                work.y[t, 0],
                low,
                high,
                work.m,
                row,
                work.joint,
                work.occupancy,
            )
            total = blanks + add_shares(
                work.occupancy, work.index, work.share, low, min(high, labels)
            )
            work.share[0] = blanks
            subtract(grad[t], classes, work.share, total)
            decay += work.taken[t]
            good = good and decay <= BEARABLE and total > 0.0  # which is false of NaN
            lowest = min(lowest, total)
            highest = max(highest, total)
    return (highest - lowest) / highest if good else np.inf


@jit_inline
def meet_alphas(
    t: Number,
    start: Number,
    frames: Number,
    labels: Number,
    exponent: Number,
    beta_m: Array,
    beta_e: Array,
    work: Work,
) -> Number:
    """Scale the betas behind frame t, and make what their products with its alphas lack.

    The block of frame t begins with frame `start`. Returns what the smallest beta lacks.
    """
    origin = work.origin[t - start + 1]
    decay = 0
    if t < frames - 1:
        low = low_state(t + 1, frames, labels)
        high = high_state(t + 1, labels)
        scaled = start + origin - 1  # the frame whose alphas got their exponents
        reach = work.reach[scaled] if scaled >= 0 else LEAST_REACH
        after = (t + 1) % 2
        decay = scale_betas(beta_m, after, beta_e, work.gain, work.skip, reach, low, high)
        beta_ways(beta_e, work.skip, work.beta_ways, low, high)
    joint_powers(work.e[origin], beta_e, exponent, work.joint)
    return decay


@jit
def joint_powers(alpha_e: Array, beta_e: Array, exponent: Number, joint: Array) -> None:
    """joint [2, P] = 2^(alpha_e + beta_e - exponent): what products of alpha and beta lack.

    Bounded, so that an alpha from which nothing can end is no infinity times a beta of zero.
    """
    for plane in range(2):
        for place in range(joint.shape[1]):
            lacking = alpha_e[plane, place] + beta_e[plane, place] - exponent
            joint[plane, place] = pow2(min(lacking, DECAY))


@cached("_cpu_[flrw]*.py", allocates=False)
def run_rows(version: int) -> Function:
    """The compiled loop over rows."""

    def rows(
        work: Work,
        scores: Array,
        steps: Array,
        grads: Array,
        labels: Array,
        offsets: Array,
        lengths: Array,
        order: Array,
        counter: Array,
        blank: Number,
        prior: Array,
        normalize: Number,
        need_grad: Number,
        nll: Array,
        health: Array,
    ) -> None:
        """Do rows off the list `order`, which all threads share.

        Scores [n] hold a row every steps[0] numbers, a frame every steps[1], its classes together.
        Writes nll [B] and health [B] (both float64) and, where asked for, grads [B, T, C].
        """
        _ = version
        while True:
            place = take_next(counter)
            if place >= order.size:
                return
            b = order[place]
            row = scores[b * steps[0] :]
            grad = grads[b if need_grad else 0]
            row_labels = labels[offsets[b] : offsets[b + 1]]
            if need_grad:
                clear(grad, lengths[b], grad.shape[0])
            nll[b], health[b] = one_row(
                row,
                steps[1],
                lengths[b],
                grad,
                row_labels,
                blank,
                prior,
                normalize,
                need_grad,
                work,
            )

    return rows
