"""Rows of a batch, one after another: softmax, lattice and gradient of each in one sweep forth and one back."""

from __future__ import annotations

from typing import Any

import numpy as np

from ctcasr.ctc._cpu_frame import clear, emissions, load_frame, scale, sum_exp
from ctcasr.ctc._cpu_lattice import (
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
from ctcasr.ctc._cpu_work import add_shares, distinct, gather, make_work, subtract
from ctcasr.kernels.jit import cached, jit, take_next

HEALTHY = 1e-9  # spread of sum_s alpha beta over time beyond which a row is done again in log space
_LN2 = float(np.log(2.0))


@jit
def low_state(t: Any, frames: Any, labels: Any) -> Any:
    """First state in frame t from which the target can still be finished, rounded down to a group."""
    return max(labels - (frames - t), 0) // PAD * PAD


@jit
def high_state(t: Any, labels: Any) -> Any:
    """One past the last state that frame t can have reached, rounded up to a group."""
    return min(t + 1, labels) // PAD * PAD + PAD


@jit
def one_row(
    scores: Any,
    grad: Any,
    labels: Any,
    blank: Any,
    prior: Any,
    normalize: Any,
    need_grad: Any,
    w: Any,
) -> Any:
    """Loss and health of one row of scores [T, C]; writes grad [>= T, C]."""
    needed = labels.size
    for u in range(w.skip.size):
        w.skip[u] = ZERO
    for u in range(1, labels.size):
        if labels[u] == labels[u - 1]:
            needed += 1
        else:
            w.skip[PAD + u] = 0
    if scores.shape[0] < needed:
        if need_grad:
            clear(grad, 0, scores.shape[0])
        return np.inf, 0.0
    count = distinct(labels, blank, w)
    classes = w.classes[: (count + PAD - 1) // PAD * PAD]
    good, loss, exponent = forward(
        scores, grad, classes, labels.size, prior, normalize, need_grad, w
    )
    spread = 0.0
    if good and need_grad and scores.shape[0] > 0:
        spread = backward(scores.shape[0], grad, w.classes[:count], labels.size, exponent, w)
    if good and spread < HEALTHY:
        return loss, spread
    for t in range(scores.shape[0] if need_grad else 0):
        clear(grad, t, t + 1)
        if normalize:
            top = load_frame(scores[t], w.frame)
            scale(w.powers, sum_exp(w.frame, top, w.powers), grad[t])
    return logspace_row(scores, grad, labels, blank, prior, normalize, need_grad)


@jit
def forward(
    scores: Any,
    grad: Any,
    classes: Any,
    labels: Any,
    prior: Any,
    normalize: Any,
    need_grad: Any,
    w: Any,
) -> Any:
    """Softmax into grad and alphas of all frames, those of the last block kept in `w`.

    Returns whether float64 held every emission, the loss, and the exponent of the sum over all paths.
    """
    frames, block = scores.shape[0], w.m.shape[0] - 1
    reset(w.m, w.e, 0)
    w.e[0, BLANK, PAD] = 0  # before the first frame: in front of the first label
    row = 0
    shift, product = (
        0.0,
        1.0,
    )  # -log of what the emissions lack: from the maxima, from the sums of the softmax
    for t in range(frames):
        if t % block == 0:
            if row:
                copy(w.m, w.e, row, w.m, w.e, 0)
            if need_grad:
                copy(w.m, w.e, 0, w.kept_m, w.kept_e, t // block)
            row = 0
        top = load_frame(scores[t], w.frame)
        if normalize:
            total = sum_exp(w.frame, top, w.powers)
            if need_grad:
                scale(w.powers, total, grad[t])
            product *= total
            if not product < 1e200:
                shift += np.log(product)
                product = 1.0
        else:
            shift -= np.float64(top)
            if need_grad:
                clear(grad, t, t + 1)
        y = w.y[t if need_grad else 0]
        if emissions(w.frame, top, prior, classes, y) > 0 or not np.isfinite(shift):
            return False, 0.0, 0
        lo, hi = low_state(t, frames, labels), high_state(t, labels)
        row += 1
        gather(y, w.index, w.spread, row, lo, min(hi, labels))
        alpha_step(w.m, w.e, row - 1, row, w.skip, w.spread, y[0], lo, hi)
    blank_e, label_e = w.e[row, BLANK, PAD + labels], w.e[row, LABEL, PAD + labels - 1]
    exponent = max(blank_e, label_e)
    z = w.m[row, BLANK, PAD + labels] * pow2(blank_e - exponent + 1023)
    z += w.m[row, LABEL, PAD + labels - 1] * pow2(label_e - exponent + 1023)
    if exponent < ZERO // 2:
        return True, np.inf, 0
    loss = shift + np.log(product) - np.log(z) - (exponent - SHIFT * frames) * _LN2
    return np.isfinite(loss), loss, exponent


@jit
def backward(frames: Any, grad: Any, classes: Any, labels: Any, exponent: Any, w: Any) -> Any:
    """Betas from the last frame to the first; subtracts the occupancies from grad. Returns the spread of their sums."""
    block = w.m.shape[0] - 1
    m, e = w.beta_m, w.beta_e
    reset(m, e, 0)
    reset(m, e, 1)
    e[frames % 2, BLANK, PAD + labels] = 0  # after the last frame: behind the last label
    lowest, highest = np.inf, 0.0
    last = (frames - 1) // block
    for b in range(last, -1, -1):
        start, end = b * block, min((b + 1) * block, frames)
        if b < last:
            copy(w.kept_m, w.kept_e, b, w.m, w.e, 0)
            for t in range(start, end):
                row = t - start + 1
                lo, hi = low_state(t, frames, labels), high_state(t, labels)
                gather(w.y[t], w.index, w.spread, row, lo, min(hi, labels))
                alpha_step(w.m, w.e, row - 1, row, w.skip, w.spread, w.y[t, 0], lo, hi)
        for t in range(end - 1, start - 1, -1):
            row = t - start + 1
            lo, hi = low_state(t, frames, labels), high_state(t, labels)
            blanks = beta_step(
                m, e, (t + 1) % 2, t % 2, w.skip, w.spread, w.y[t, 0], lo, hi,
                w.m, w.e, row, exponent - 2046, w.occupancy,
            )  # fmt: skip
            total = blanks + add_shares(w.occupancy, w.index, w.share, lo, min(hi, labels))
            w.share[0] = blanks
            subtract(grad[t], classes, w.share, total)
            lowest, highest = min(lowest, total), max(highest, total)
    return (highest - lowest) / highest


@cached("_cpu_*.py")
def run_rows(version: int) -> Any:
    def rows(
        scores: Any, grads: Any, labels: Any, offsets: Any, lengths: Any, order: Any, counter: Any, blank: Any,
        prior: Any, normalize: Any, need_grad: Any, nll: Any, health: Any,
    ) -> None:  # fmt: skip
        """Do rows of scores [B, T, C] off the list `order`, which all threads share, until it is empty.

        Writes nll [B] and health [B] (both float64) and, where asked for, grads [B, T, C].
        """
        _ = version
        longest = 0
        for b in range(lengths.size):
            longest = max(longest, offsets[b + 1] - offsets[b])
        w = make_work(scores, longest, need_grad)
        while True:
            place = take_next(counter)
            if place >= order.size:
                return
            b = order[place]
            row, grad = scores[b, : lengths[b]], grads[b if need_grad else 0]
            row_labels = labels[offsets[b] : offsets[b + 1]]
            if need_grad:
                clear(grad, lengths[b], grad.shape[0])
            nll[b], health[b] = one_row(
                row, grad, row_labels, blank, prior, normalize, need_grad, w
            )

    return rows
