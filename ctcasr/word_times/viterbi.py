"""The best path through the states of a sentence in which silences may be passed over (compiled).

States are a chain: a frame stays in its state or steps to the next one. The first state of a word
may also be entered from the last state of the word before, over the silence between them.
"""

from __future__ import annotations

import numpy as np

from ctcasr.kernels.jit import Array, Function, Number, cached

NEVER = -np.inf
NO_ENTRY = -1  # of a state that is entered from the one before it alone; so in aligner.py

# How the best path came to a state: from itself, from the state before, over a silence.
STAY, STEP, SKIP = range(3)


@cached("viterbi.py", fastmath=())
def best_path(version: int) -> Function:
    """The compiled search."""

    def path(
        scores: Array, columns: Array, entries: Array, first: Number, last: Number, states: Array
    ) -> Number:
        """Write the states [T] of the best path; returns its nats, -inf where there is none.

        Scores [T, columns] are in nats; `columns` [S] says which of them a state takes, `entries`
        [S] from which other state it is entered. A path begins in state 0 or `first` and ends in
        the last state or in `last`.
        """
        _ = version
        frames = scores.shape[0]
        count = columns.shape[0]
        came = np.zeros((frames, count), np.int8)
        nats = np.full(count, NEVER)
        nats[0] = scores[0, columns[0]]
        nats[first] = scores[0, columns[first]]
        for t in range(1, frames):
            for back in range(count):
                # From the end of the chain: the states before are still those of the frame before.
                s = count - 1 - back
                best = nats[s]
                if s > 0 and nats[s - 1] > best:
                    best = nats[s - 1]
                    came[t, s] = STEP
                if entries[s] != NO_ENTRY and nats[entries[s]] > best:
                    best = nats[entries[s]]
                    came[t, s] = SKIP
                nats[s] = best + scores[t, columns[s]]
        state = count - 1
        if nats[last] > nats[state]:
            state = last
        total = nats[state]
        for back in range(frames):
            t = frames - 1 - back
            states[t] = state
            if came[t, state] == STEP:
                state -= 1
            elif came[t, state] == SKIP:
                state = entries[state]
        return total

    return path
