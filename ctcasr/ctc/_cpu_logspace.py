"""The lattice of one row in float64 log space: slow, for scores that the fast lattice cannot hold (-inf, a spread of
more than 1300 nats between the classes of one target)."""

from __future__ import annotations

from typing import Any

import numpy as np

from ctcasr.ctc._cpu_frame import clear
from ctcasr.kernels.jit import jit


@jit
def _log_add(a: Any, b: Any) -> Any:
    high, low = (a, b) if a > b else (b, a)
    return high if low == -np.inf else high + np.log1p(np.exp(low - high))


@jit
def _log_norm(scores: Any) -> Any:
    top = -np.inf
    for c in range(scores.size):
        top = max(top, np.float64(scores[c]))
    total = 0.0
    for c in range(scores.size):
        total += np.exp(np.float64(scores[c]) - top)
    return top + np.log(total)


@jit
def logspace_row(
    scores: Any, grad: Any, labels: Any, blank: Any, prior: Any, normalize: Any, need_grad: Any
) -> Any:
    """Loss and health of scores [T, C]; subtracts the occupancies from grad [T, C], which holds the softmax (or 0)."""
    frames, states = scores.shape[0], 2 * labels.size + 1
    klass = np.full(states, blank)
    for u in range(labels.size):
        klass[2 * u + 1] = labels[u]
    norm = np.zeros(frames)
    if normalize:
        for t in range(frames):
            norm[t] = _log_norm(scores[t])
    alpha = np.full((frames + 1, states), -np.inf)  # alpha[t + 1] is that of frame t
    alpha[0, 0] = 0.0
    for t in range(frames):
        for s in range(states):
            a = alpha[t, s]
            if s > 0:
                a = _log_add(a, alpha[t, s - 1])
            if s > 1 and s % 2 == 1 and klass[s] != klass[s - 2]:
                a = _log_add(a, alpha[t, s - 2])
            alpha[t + 1, s] = a + (scores[t, klass[s]] - prior[klass[s]] - norm[t])
    log_z = alpha[frames, states - 1]
    if states > 1:
        log_z = _log_add(log_z, alpha[frames, states - 2])
    if not need_grad or log_z == -np.inf:
        if need_grad:
            clear(grad, 0, frames)
        return -log_z, 0.0
    beta, after = (
        np.full(states + 2, -np.inf),
        np.full(states + 2, -np.inf),
    )  # after: beta_(t+1) y_(t+1)
    after[states - 1] = 0.0
    gamma = np.empty(states)
    lowest, highest = np.inf, -np.inf
    for t in range(frames - 1, -1, -1):
        total = 0.0
        for s in range(states):
            b = _log_add(after[s], after[s + 1])
            if s % 2 == 1 and s + 2 < states and klass[s] != klass[s + 2]:
                b = _log_add(b, after[s + 2])
            beta[s] = b
            gamma[s] = np.exp(alpha[t + 1, s] + b - log_z)
            total += gamma[s]
        for s in range(states):
            after[s] = beta[s] + (scores[t, klass[s]] - prior[klass[s]] - norm[t])
            grad[t, klass[s]] -= gamma[s] / total
        lowest, highest = min(lowest, total), max(highest, total)
    return -log_z, max(highest - lowest, 0.0)
