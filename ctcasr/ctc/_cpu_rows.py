"""Rows of a batch, one by one: softmax, lattice and gradient in one sweep forth and one back."""

from __future__ import annotations

import numpy as np

from ctcasr.ctc._cpu_frame import clear, emissions, load_frame, scale, sum_exp
from ctcasr.ctc._cpu_lattice import (
    BIAS,
    BLANK,
    LABEL,
    PAD,
    SHIFT,
    ZERO,
    alpha_step,
    beta_step,
    copy,
    pow2,
    reset,
)
from ctcasr.ctc._cpu_logspace import logspace_row
from ctcasr.ctc._cpu_work import Work, add_shares, distinct, gather, make_work, subtract
from ctcasr.kernels.jit import Array, Function, Number, cached, jit, take_next

HEALTHY = 1e-9  # spread of sum_s alpha beta over t beyond which a row is done again in log space
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
    grad: Array,
    labels: Array,
    blank: Number,
    prior: Array,
    normalize: Number,
    need_grad: Number,
    work: Work,
) -> Number:
    """Loss and health of one row of scores [T, C]; writes grad [>= T, C]."""
    frames = scores.shape[0]
    needed = labels.size
    for place in range(work.skip.size):
        work.skip[place] = ZERO
    for u in range(1, labels.size):
        if labels[u] == labels[u - 1]:
            needed += 1
        else:
            work.skip[PAD + u] = 0
    if frames < needed:
        if need_grad:
            clear(grad, 0, frames)
        return np.inf, 0.0

    count = distinct(labels, blank, work)
    padded = work.classes[: (count + PAD - 1) // PAD * PAD]
    good, loss, exponent = forward(
        scores, grad, padded, labels.size, prior, normalize, need_grad, work
    )
    spread = 0.0
    if good and need_grad and frames > 0:
        spread = backward(frames, grad, work.classes[:count], labels.size, exponent, work)
    if good and spread < HEALTHY:
        return loss, spread

    for t in range(frames if need_grad else 0):
        clear(grad, t, t + 1)
        if normalize:
            top = load_frame(scores[t], work.frame)
            total = sum_exp(work.frame, top, work.powers)
            scale(work.powers, total, grad[t])
    return logspace_row(scores, grad, labels, blank, prior, normalize, need_grad)


@jit
def forward(
    scores: Array,
    grad: Array,
    classes: Array,
    labels: Number,
    prior: Array,
    normalize: Number,
    need_grad: Number,
    work: Work,
) -> Number:
    """Softmax into grad and alphas of all frames, those of the last block kept in `work`.

    Returns whether float64 held every emission, the loss, and the exponent of the sum over paths.
    """
    frames = scores.shape[0]
    block = work.m.shape[0] - 1
    reset(work.m, work.e, 0)
    work.e[0, BLANK, PAD] = 0  # before the first frame: in front of the first label
    row = 0
    # -log of what the emissions lack: from the maxima, from the sums of the softmax
    shift = 0.0
    product = 1.0
    for t in range(frames):
        if t % block == 0:
            if row:
                copy(work.m, work.e, row, work.m, work.e, 0)
            if need_grad:
                copy(work.m, work.e, 0, work.kept_m, work.kept_e, t // block)
            row = 0
        top = load_frame(scores[t], work.frame)
        if normalize:
            total = sum_exp(work.frame, top, work.powers)
            if need_grad:
                scale(work.powers, total, grad[t])
            product *= total
            if not product < _LARGE:
                shift += np.log(product)
                product = 1.0
        else:
            shift -= np.float64(top)
            if need_grad:
                clear(grad, t, t + 1)
        y = work.y[t if need_grad else 0]
        outside = emissions(work.frame, top, prior, classes, y)
        if outside > 0 or not np.isfinite(shift):
            return False, 0.0, 0
        row += 1
        low = low_state(t, frames, labels)
        high = high_state(t, labels)
        gather(y, work.index, work.spread, row, low, min(high, labels))
        alpha_step(work.m, work.e, row - 1, row, work.skip, work.spread, y[0], low, high)
    return loss_of(frames, labels, row, shift + np.log(product), work)


@jit
def loss_of(frames: Number, labels: Number, row: Number, shift: Number, work: Work) -> Number:
    """Whether the loss is finite, the loss, and the exponent of the sum over all paths.

    From the last two states in a row of the block and `shift`, what their emissions lack.
    """
    blank_e = work.e[row, BLANK, PAD + labels]
    label_e = work.e[row, LABEL, PAD + labels - 1]
    exponent = max(blank_e, label_e)
    z = work.m[row, BLANK, PAD + labels] * pow2(blank_e - exponent + BIAS)
    z += work.m[row, LABEL, PAD + labels - 1] * pow2(label_e - exponent + BIAS)
    if exponent < ZERO // 2:
        return True, np.inf, 0
    loss = shift - np.log(z) - (exponent - SHIFT * frames) * _LN2
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

    Returns the spread of their sums over the frames.
    """
    block = work.m.shape[0] - 1
    # Names of their own: taken out of `work` in every frame they cost 4 % of the whole.
    beta_m = work.beta_m
    beta_e = work.beta_e
    reset(beta_m, beta_e, 0)
    reset(beta_m, beta_e, 1)
    # after the last frame: behind the last label
    beta_e[frames % 2, BLANK, PAD + labels] = 0
    lowest = np.inf
    highest = 0.0
    last = (frames - 1) // block
    for b in range(last, -1, -1):
        start = b * block
        end = min(start + block, frames)
        if b < last:
            copy(work.kept_m, work.kept_e, b, work.m, work.e, 0)
            for t in range(start, end):
                # Not a function shared with `forward`: with one, all of it takes 15 % longer.
                y = work.y[t]
                row = t - start + 1
                low = low_state(t, frames, labels)
                high = high_state(t, labels)
                gather(y, work.index, work.spread, row, low, min(high, labels))
                alpha_step(work.m, work.e, row - 1, row, work.skip, work.spread, y[0], low, high)
        for t in range(end - 1, start - 1, -1):
            row = t - start + 1
            low = low_state(t, frames, labels)
            high = high_state(t, labels)
            blanks = beta_step(
                beta_m,
                beta_e,
                (t + 1) % 2,
                t % 2,
                work.skip,
                work.spread,
                work.y[t, 0],
                low,
                high,
                work.m,
                work.e,
                row,
                exponent - 2 * BIAS,
                work.occupancy,
            )
            total = blanks + add_shares(
                work.occupancy, work.index, work.share, low, min(high, labels)
            )
            work.share[0] = blanks
            subtract(grad[t], classes, work.share, total)
            lowest = min(lowest, total)
            highest = max(highest, total)
    return (highest - lowest) / highest


@cached("_cpu_[flrw]*.py")
def run_rows(version: int) -> Function:
    """The compiled loop over rows."""

    def rows(
        scores: Array,
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
        """Do rows of scores [B, T, C] off the list `order`, which all threads share.

        Writes nll [B] and health [B] (both float64) and, where asked for, grads [B, T, C].
        """
        _ = version
        longest = 0
        for b in range(lengths.size):
            longest = max(longest, offsets[b + 1] - offsets[b])
        work = make_work(scores, longest, need_grad)
        while True:
            place = take_next(counter)
            if place >= order.size:
                return
            b = order[place]
            row = scores[b, : lengths[b]]
            grad = grads[b if need_grad else 0]
            row_labels = labels[offsets[b] : offsets[b + 1]]
            if need_grad:
                clear(grad, lengths[b], grad.shape[0])
            nll[b], health[b] = one_row(
                row, grad, row_labels, blank, prior, normalize, need_grad, work
            )

    return rows
