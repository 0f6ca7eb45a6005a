"""The lattice of one row in float64 log space: slow, for scores that the fast lattice cannot hold.

These are -inf, and a spread of more than 170 nats between the classes of one target.
"""

from __future__ import annotations

import numpy as np

from ctcasr.ctc._cpu_frame import LANES, clear, divide, load_frame, sum_exp
from ctcasr.kernels.jit import Array, Function, Number, cached, jit, take_next


@jit
def _log_add(a: Number, b: Number) -> Number:
    """log(exp(a) + exp(b))."""
    high = a
    low = b
    if low > high:
        high = b
        low = a
    if low == -np.inf:
        return high
    return high + np.log1p(np.exp(low - high))


@jit
def _log_norm(scores: Array) -> Number:
    """log of the sum of exp of one frame's scores [C]."""
    top = -np.inf
    for c in range(scores.size):
        score = np.float64(scores[c])
        top = max(top, score)
    total = 0.0
    for c in range(scores.size):
        score = np.float64(scores[c])
        total += np.exp(score - top)
    return top + np.log(total)


@jit
def logspace_row(
    scores: Array,
    grad: Array,
    labels: Array,
    blank: Number,
    prior: Array,
    normalize: Number,
    need_grad: Number,
) -> Number:
    """Loss and health of scores [T, C]; takes the occupancies off grad [T, C], the softmax or 0."""
    frames = scores.shape[0]
    states = 2 * labels.size + 1
    classes = np.full(states, blank)  # of each state
    for u in range(labels.size):
        classes[2 * u + 1] = labels[u]
    norm = np.zeros(frames)
    if normalize:
        for t in range(frames):
            norm[t] = _log_norm(scores[t])
    alpha, taken = _log_alphas(scores, classes, prior, norm)
    last_alpha = alpha[frames]
    log_z = last_alpha[states - 1]
    if states > 1:
        log_z = _log_add(log_z, last_alpha[states - 2])
    loss = -(log_z + taken[frames])
    if not need_grad:
        return loss, 0.0
    if log_z == -np.inf:
        clear(grad, 0, frames)
        return loss, 0.0
    return loss, _log_betas(scores, grad, classes, prior, norm, alpha, taken, log_z)


@jit
def _take_whole(logs: Array) -> Number:
    """Take the same whole number of nats off all logs [S], so that the largest is near 0; how many.

    Whole numbers add up without an error, however long the row.
    """
    top = -np.inf
    for s in range(logs.size):
        top = max(top, logs[s])
    if not np.isfinite(top):
        return 0.0
    whole = np.floor(top)
    for s in range(logs.size):
        logs[s] -= whole
    return whole


@jit
def _log_alphas(scores: Array, classes: Array, prior: Array, norm: Array) -> Array:
    """log alpha [T + 1, S] before the first frame and after each, and what was taken off [T + 1].

    For the classes [S] of the states.
    """
    frames = scores.shape[0]
    states = classes.size
    alpha = np.full((frames + 1, states), -np.inf)
    alpha[0, 0] = 0.0
    taken = np.zeros(frames + 1)
    for t in range(frames):
        before = alpha[t]
        for s in range(states):
            c = classes[s]
            arriving = before[s]
            if s > 0:
                arriving = _log_add(arriving, before[s - 1])
            is_label = s % 2 == 1
            if is_label and s > 1 and c != classes[s - 2]:
                arriving = _log_add(arriving, before[s - 2])
            emission = scores[t, c] - prior[c] - norm[t]
            alpha[t + 1, s] = arriving + emission
        taken[t + 1] = taken[t] + _take_whole(alpha[t + 1])
    return alpha, taken


@jit
def _log_betas(
    scores: Array,
    grad: Array,
    classes: Array,
    prior: Array,
    norm: Array,
    alpha: Array,
    taken: Array,
    log_z: Number,
) -> Number:
    """Takes the occupancies off grad [T, C]; returns the spread of their sums over the frames."""
    frames = scores.shape[0]
    states = classes.size
    beta = np.full(states + 2, -np.inf)
    after = np.full(states + 2, -np.inf)  # beta_(t+1) with the emissions of frame t + 1
    after[states - 1] = 0.0
    gamma = np.empty(states)
    lowest = np.inf
    highest = -np.inf
    taken_after = 0.0  # off `after`
    for t in range(frames - 1, -1, -1):
        whole = taken[t + 1] + taken_after - taken[frames]
        total = 0.0
        for s in range(states):
            leaving = _log_add(after[s], after[s + 1])
            is_label = s % 2 == 1
            if is_label and s + 2 < states and classes[s] != classes[s + 2]:
                leaving = _log_add(leaving, after[s + 2])
            beta[s] = leaving
            log_joint = alpha[t + 1, s] + leaving + whole
            gamma[s] = np.exp(log_joint - log_z)
            total += gamma[s]
        for s in range(states):
            c = classes[s]
            emission = scores[t, c] - prior[c] - norm[t]
            after[s] = beta[s] + emission
            grad[t, c] -= gamma[s] / total
        taken_after += _take_whole(after)
        lowest = min(lowest, total)
        highest = max(highest, total)
    return max(highest - lowest, 0.0)


@jit
def softmax_row(scores: Array, grad: Array) -> None:
    """The softmax of scores [T, C] to grad [>= T, C]."""
    wide = (scores.shape[1] + LANES - 1) // LANES * LANES
    frame = np.full(wide, -np.inf, scores.dtype)
    powers = np.empty(wide, scores.dtype)
    highest = np.empty(LANES, scores.dtype)
    for t in range(scores.shape[0]):
        top = load_frame(scores[t], frame, highest)
        total = sum_exp(frame, top, powers)
        divide(powers, total, grad[t])


@cached("_cpu_[fl]*.py")
def run_logspace(version: int) -> Function:
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
        """Do rows of scores [B, T, C] as the fast loop does them."""
        _ = version
        while True:
            place = take_next(counter)
            if place >= order.size:
                return
            b = order[place]
            row = scores[b, : lengths[b]]
            grad = grads[b if need_grad else 0]
            row_labels = labels[offsets[b] : offsets[b + 1]]
            if need_grad:
                clear(grad, 0, grad.shape[0])
                if normalize:
                    softmax_row(row, grad)
            nll[b], health[b] = logspace_row(
                row, grad, row_labels, blank, prior, normalize, need_grad
            )

    return rows
