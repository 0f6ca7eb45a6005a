"""The lattice of one row in float64 log space: slow, for scores that the fast lattice cannot hold.

These are -inf, and a spread of more than 1300 nats between the classes of one target.
"""

from __future__ import annotations

import numpy as np

from ctcasr.ctc._cpu_frame import clear
from ctcasr.kernels.jit import Array, Number, jit


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
    alpha = _log_alphas(scores, classes, prior, norm)
    last_alpha = alpha[frames]
    log_z = last_alpha[states - 1]
    if states > 1:
        log_z = _log_add(log_z, last_alpha[states - 2])
    if not need_grad:
        return -log_z, 0.0
    if log_z == -np.inf:
        clear(grad, 0, frames)
        return -log_z, 0.0
    spread = _log_betas(scores, grad, classes, prior, norm, alpha, log_z)
    return -log_z, spread


@jit
def _log_alphas(scores: Array, classes: Array, prior: Array, norm: Array) -> Array:
    """log alpha [T + 1, S] before the first frame and after each; classes [S] of the states."""
    frames = scores.shape[0]
    states = classes.size
    alpha = np.full((frames + 1, states), -np.inf)
    alpha[0, 0] = 0.0
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
    return alpha


@jit
def _log_betas(
    scores: Array,
    grad: Array,
    classes: Array,
    prior: Array,
    norm: Array,
    alpha: Array,
    log_z: Number,
) -> Number:
    """Takes the occupancies off grad [T, C]; returns the spread of their sums over the frames."""
    states = classes.size
    beta = np.full(states + 2, -np.inf)
    after = np.full(states + 2, -np.inf)  # beta_(t+1) with the emissions of frame t + 1
    after[states - 1] = 0.0
    gamma = np.empty(states)
    lowest = np.inf
    highest = -np.inf
    for t in range(scores.shape[0] - 1, -1, -1):
        total = 0.0
        for s in range(states):
            leaving = _log_add(after[s], after[s + 1])
            is_label = s % 2 == 1
            if is_label and s + 2 < states and classes[s] != classes[s + 2]:
                leaving = _log_add(leaving, after[s + 2])
            beta[s] = leaving
            log_joint = alpha[t + 1, s] + leaving
            gamma[s] = np.exp(log_joint - log_z)
            total += gamma[s]
        for s in range(states):
            c = classes[s]
            emission = scores[t, c] - prior[c] - norm[t]
            after[s] = beta[s] + emission
            grad[t, c] -= gamma[s] / total
        lowest = min(lowest, total)
        highest = max(highest, total)
    return max(highest - lowest, 0.0)
