"""The best path of CTC through a graph of symbols (compiled).

State 2 n + 1 writes the symbol of place n, state 2 n the blank behind it.
"""

from __future__ import annotations

import numpy as np

from ctcasr.kernels.jit import Array, Function, Number, cached, jit

NEVER = -np.inf


@jit(fastmath=())
def enter_labels(
    labels: Array,
    sources: Array,
    targets: Array,
    in_blank: Array,
    in_label: Array,
    new_label: Array,
    came: Array,
) -> None:
    """Best nats [places] of writing the symbol of each place, and from which state [states]."""
    for n in range(labels.shape[0]):
        new_label[n] = in_label[n]
        came[2 * n + 1] = 2 * n + 1
    for step in range(sources.shape[0]):
        source = sources[step]
        target = targets[step]
        if in_blank[source] > new_label[target]:
            new_label[target] = in_blank[source]
            came[2 * target + 1] = 2 * source
        # A symbol twice in a row needs a blank between.
        if labels[source] != labels[target] and in_label[source] > new_label[target]:
            new_label[target] = in_label[source]
            came[2 * target + 1] = 2 * source + 1


@jit(fastmath=())
def last_state(ends: Array, in_blank: Array, in_label: Array) -> Number:
    """The best of the states in which a sentence may end; -1 where none was reached."""
    total = NEVER
    state = -1
    for n in range(ends.shape[0]):
        if ends[n] and in_label[n] > total:
            total = in_label[n]
            state = 2 * n + 1
        if ends[n] and in_blank[n] > total:
            total = in_blank[n]
            state = 2 * n
    return state


@cached("token_search.py", fastmath=())
def best_path(version: int) -> Function:
    """The compiled search."""

    def search(
        log_probs: Array,
        labels: Array,
        sources: Array,
        targets: Array,
        ends: Array,
        blank: Number,
        path: Array,
    ) -> Number:
        """Write the states [T] of the best path through log_probs [T, C]; False without any."""
        _ = version
        frames = log_probs.shape[0]
        places = labels.shape[0]
        came = np.zeros((frames, 2 * places), np.int32)
        in_blank = np.full(places, NEVER)
        in_label = np.full(places, NEVER)
        new_label = np.full(places, NEVER)
        in_blank[0] = 0.0
        for t in range(frames):
            enter_labels(labels, sources, targets, in_blank, in_label, new_label, came[t])
            for n in range(places):
                came[t, 2 * n] = 2 * n
                if in_label[n] > in_blank[n]:
                    in_blank[n] = in_label[n]
                    came[t, 2 * n] = 2 * n + 1
                in_blank[n] += log_probs[t, blank]
            for n in range(1, places):
                in_label[n] = new_label[n] + log_probs[t, labels[n]]
        state = last_state(ends, in_blank, in_label)
        if state < 0:
            return False
        for back in range(frames):
            t = frames - 1 - back
            path[t] = state
            state = came[t, state]
        return True

    return search
