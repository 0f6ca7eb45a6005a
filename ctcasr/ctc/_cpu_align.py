"""The best path through the lattice of each row (Viterbi), in float64 (compiled).

Labels and blanks lie in two planes: place u of the blank plane stands before label u, place u of
the label plane is label u - 1, so that its place 0 is never reached.
"""

from __future__ import annotations

import numpy as np

from ctcasr.kernels.jit import Array, Function, Number, cached, exp2, jit, take_next

NEVER = -np.inf
NO_FRAME = -1
_LOG2E = float(np.log2(np.e))

# How the best path came to a state: from itself, from the state below, over the blank below.
STAY, STEP, SKIP = range(3)


@jit(fastmath={"contract", "reassoc", "nsz", "nnan"})
def largest(frame: Array) -> Number:
    """The largest score of a frame [C] of numbers."""
    top = frame[0]
    for c in range(frame.shape[0]):
        top = frame[c] if frame[c] > top else top
    return top


@jit
def log_norm(frame: Array) -> Number:
    """log of the sum of exp over one frame [C], in float64."""
    top = np.float64(largest(frame))
    total = 0.0
    for c in range(frame.shape[0]):
        total += exp2((np.float64(frame[c]) - top) * _LOG2E)
    return top + np.log(total)


@jit
def step_labels(
    label: Array,
    blank: Array,
    new_label: Array,
    barred: Array,
    emission: Array,
    steps: Array,
    low: Number,
    high: Number,
) -> None:
    """Best nats [U + 1] of the places low <= u < high of the label plane, one frame later.

    barred [U + 1] is 0 where the blank below may be skipped, else -inf.
    """
    for i in range(high - low):
        u = np.uintp(low) + np.uintp(i)
        stay = label[u]
        step = blank[u - np.uintp(1)]
        skip = label[u - np.uintp(1)] + barred[u]
        best = max(stay, step)
        taken = STEP if step > stay else STAY
        taken = SKIP if skip > best else taken
        new_label[u] = max(best, skip) + emission[u]
        steps[u] = taken


@jit
def step_blanks(
    label: Array,
    blank: Array,
    new_blank: Array,
    emission: Number,
    steps: Array,
    low: Number,
    high: Number,
) -> None:
    """Best nats [U + 1] of the places low <= u < high of the blank plane, one frame later."""
    for i in range(high - low):
        u = np.uintp(low) + np.uintp(i)
        stay = blank[u]
        step = label[u]
        new_blank[u] = max(stay, step) + emission
        steps[u] = STEP if step > stay else STAY


@jit
def best_path(
    scores: Array,
    labels: Array,
    columns: Array,
    blank_column: Number,
    normalize: Number,
    steps: Array,
    norms: Array,
) -> Number:
    """Nats of the best path of one row of scores [T, C], and the state it ends in.

    columns [U] say where in a frame the score of each label lies. Writes steps int8 [T, 2, U + 1]
    (blanks, labels) and the log norm [T] of each frame.
    """
    frames = scores.shape[0]
    count = labels.shape[0]
    barred = np.full(count + 1, NEVER)
    for u in range(2, count + 1):
        if labels[u - 1] != labels[u - 2]:
            barred[u] = 0.0
    blanks = np.full((2, count + 1), NEVER)
    marks = np.full((2, count + 1), NEVER)
    emission = np.empty(count + 1)
    blanks[0, 0] = 0.0  # before the first frame: in front of the first label
    for t in range(frames):
        old = t % 2
        new = 1 - old
        norms[t] = log_norm(scores[t]) if normalize else 0.0
        low = max(0, count - (frames - t))  # from where the target can still be finished
        high = min(t + 1, count) + 1  # behind what the path can have reached
        for u in range(max(low, 1), high):
            emission[u] = np.float64(scores[t, columns[u - 1]]) - norms[t]
        blank_emission = np.float64(scores[t, blank_column]) - norms[t]
        step_blanks(marks[old], blanks[old], blanks[new], blank_emission, steps[t, 0], low, high)
        step_labels(
            marks[old], blanks[old], marks[new], barred, emission, steps[t, 1], max(low, 1), high
        )
    end = frames % 2
    if marks[end, count] > blanks[end, count]:
        return marks[end, count], 2 * count - 1
    return blanks[end, count], 2 * count


@jit
def trace(
    scores: Array,
    labels: Array,
    columns: Array,
    blank: Number,
    steps: Array,
    norms: Array,
    state: Number,
    states: Array,
    classes: Array,
    spans: Array,
    means: Array,
) -> None:
    """Follow the steps back from the last state of a path.

    Writes states and classes [T] of its frames, and of its labels the frames spans [U, 2] (first,
    one past the last) and their mean nats [U].
    """
    for t in range(scores.shape[0] - 1, -1, -1):
        states[t] = state
        if state % 2 == 0:
            classes[t] = blank
            state -= steps[t, 0, state // 2]
            continue
        u = state // 2
        classes[t] = labels[u]
        if spans[u, 1] == NO_FRAME:
            spans[u, 1] = t + 1
        spans[u, 0] = t
        means[u] += np.float64(scores[t, columns[u]]) - norms[t]
        state -= steps[t, 1, u + 1]
    for u in range(labels.shape[0]):
        means[u] /= spans[u, 1] - spans[u, 0]


@cached("_cpu_align.py")
def align_rows(version: int) -> Function:
    """The compiled loop over rows."""

    def rows(
        scores: Array,
        labels: Array,
        columns: Array,
        offsets: Array,
        lengths: Array,
        counter: Array,
        blank: Number,
        blank_column: Number,
        normalize: Number,
        states: Array,
        classes: Array,
        spans: Array,
        means: Array,
        totals: Array,
    ) -> None:
        """Align rows of scores [B, T, C] until the counter, which all threads share, is at the end.

        Writes states and classes int64 [B, T], spans int64 [sum U, 2] (NO_FRAME before), means
        float64 [sum U] (0 before) and totals float64 [B], nats of the best paths.
        """
        _ = version
        while True:
            b = take_next(counter)
            if b >= lengths.shape[0]:
                return
            frames = lengths[b]
            start = offsets[b]
            end = offsets[b + 1]
            steps = np.empty((frames, 2, end - start + 1), np.int8)
            norms = np.empty(frames)
            total, state = best_path(
                scores[b, :frames],
                labels[start:end],
                columns[start:end],
                blank_column,
                normalize,
                steps,
                norms,
            )
            totals[b] = total
            if total > NEVER:
                trace(
                    scores[b, :frames],
                    labels[start:end],
                    columns[start:end],
                    blank,
                    steps,
                    norms,
                    state,
                    states[b],
                    classes[b],
                    spans[start:end],
                    means[start:end],
                )

    return rows
