"""What a spelling is worth: the sum over its paths, and the frames of the best one (compiled).

Probabilities are natural logarithms in float64. States are blank, label 1, blank, ..., label U,
blank; each frame is worked off from the last state to the first, so that what lies below is still
of the frame before.
"""

from __future__ import annotations

import numpy as np

from ctcasr.ctc._cpu_beam import NEVER, log_add
from ctcasr.kernels.jit import Array, Function, Number, cached, jit

NO_FRAME = -1


@jit
def advance(
    frame: Array,
    labels: Array,
    blank: Number,
    low: Number,
    high: Number,
    alpha: Array,
    best: Array,
    steps: Array,
) -> None:
    """One frame [C]: alpha and best [S] of the states low <= s < high, and the best one's step [S].

    A step is how many states below the best path was one frame before: 0, 1 or 2.
    """
    for s in range(high - 1, low - 1, -1):
        label = s // 2
        emission = frame[labels[label]] if s % 2 else frame[blank]
        total = alpha[s]
        top = best[s]
        step = 0
        if s >= 1:
            total = log_add(total, alpha[s - 1])
            if best[s - 1] > top:
                top = best[s - 1]
                step = 1
        if s >= 3 and s % 2 and labels[label] != labels[label - 1]:
            total = log_add(total, alpha[s - 2])
            if best[s - 2] > top:
                top = best[s - 2]
                step = 2
        alpha[s] = total + emission
        best[s] = top + emission
        steps[s] = step


@jit
def begin(frame: Array, labels: Array, blank: Number, alpha: Array, best: Array) -> None:
    """The first frame [C]: alpha and best [S] of the two states that a path may begin in."""
    for s in range(min(2, alpha.shape[0])):
        alpha[s] = frame[labels[0] if s else blank]
        best[s] = alpha[s]


@jit
def trace(steps: Array, state: Number, spans: Array) -> None:
    """Walk back from a state of the last frame over steps [T, S]; writes spans [U, 2]."""
    for t in range(steps.shape[0] - 1, -1, -1):
        if state % 2:
            label = state // 2
            spans[label, 0] = t
            if spans[label, 1] == NO_FRAME:
                spans[label, 1] = t + 1
        state -= steps[t, state]


@cached("_cpu_[bs]*.py")
def spell(version: int) -> Function:
    """The compiled sum."""

    def run(log_probs: Array, labels: Array, blank: Number, spans: Array) -> Number:
        """Log of the sum over all paths of log_probs [T, C] that spell labels [U].

        spans [U, 2] receives first frame and one past the last of each label on the best path,
        NO_FRAME where there is none.
        """
        _ = version
        frames = log_probs.shape[0]
        size = 2 * labels.shape[0] + 1
        for u in range(labels.shape[0]):
            spans[u, 0] = NO_FRAME
            spans[u, 1] = NO_FRAME
        if frames == 0:
            return 0.0 if size == 1 else NEVER
        alpha = np.full(size, NEVER)
        best = np.full(size, NEVER)
        steps = np.zeros((frames, size), np.int8)
        begin(log_probs[0], labels, blank, alpha, best)
        for t in range(1, frames):
            low = max(0, size - 2 * (frames - t))  # from where the end can still be reached
            high = min(size, 2 * t + 2)
            for s in range(max(low - 2, 0)):  # no later state comes from there any more
                alpha[s] = NEVER
                best[s] = NEVER
            advance(log_probs[t], labels, blank, low, high, alpha, best, steps[t])
        last = size - 1
        total = alpha[last]
        if last > 0:
            total = log_add(total, alpha[last - 1])
            if best[last - 1] > best[last]:
                last -= 1
        if total != NEVER:
            trace(steps, last, spans)
        return total

    return run
