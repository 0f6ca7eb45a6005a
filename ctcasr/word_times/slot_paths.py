"""The best path through slots, each of which may hold any word, or nothing (compiled).

A row of M slots lies between M + 1 junctions. From a junction a path goes on through a word of the
slot behind it, over the empty slot, or through silence back to the same junction. All nats are
added, so that the best path says which word is said in which slot, and when.

Shape letters: T frames, C columns of scores, M slots, V words, S states of the longest word.
"""

from __future__ import annotations

import numpy as np

from ctcasr.kernels.jit import Array, Function, cached, jit

NEVER = -1e30
SILENCE_STATES = 3  # so in aligner.py
IN_SILENCE, EMPTY = -1, -2  # how a path came to a junction, where it was by no word
_SOURCES = "slot_paths.py"


@jit(fastmath=())
def _say(
    scores: Array,
    columns: Array,
    counts: Array,
    words: Array,
    at: Array,
    said: Array,
    stepped: Array,
) -> None:
    """Take states of words [M, V, S] one frame on, of scores [C]; marks what was entered."""
    slots, vocabulary = words.shape
    for m in range(slots):
        for v in range(vocabulary):
            if words[m, v] <= NEVER:
                continue
            for s in range(counts[v] - 1, -1, -1):
                before = at[m] + words[m, v]
                if s > 0:
                    before = said[m, v, s - 1]
                best = said[m, v, s]
                if before > best:
                    best = before
                    stepped[m, v, s] = 1
                said[m, v, s] = best + scores[columns[v, s]]


@jit(fastmath=())
def _hush(score: Array, at: Array, silent: Array, hushed: Array) -> None:
    """Take states of silences [M + 1, states] one frame on; marks what was entered."""
    for j in range(at.shape[0]):
        for s in range(SILENCE_STATES - 1, -1, -1):
            before = at[j]
            if s > 0:
                before = silent[j, s - 1]
            best = silent[j, s]
            if before > best:
                best = before
                hushed[j, s] = 1
            silent[j, s] = best + score


@jit(fastmath=())
def _arrive(
    counts: Array, empty: Array, said: Array, silent: Array, at: Array, came: Array
) -> None:
    """The nats of junctions [M + 1] behind a frame, and how a path came there."""
    for j in range(at.shape[0]):
        best = silent[j, SILENCE_STATES - 1]
        came[j] = IN_SILENCE
        if j > 0:
            for v in range(counts.shape[0]):
                ended = said[j - 1, v, counts[v] - 1]
                if ended > best:
                    best = ended
                    came[j] = v
            over = at[j - 1] + empty[j - 1]
            if over > best:
                best = over
                came[j] = EMPTY
        at[j] = best


@cached(_SOURCES, fastmath=())
def forward(version: int) -> Function:
    """The compiled search from the first frame to the last."""

    def search(
        scores: Array,
        columns: Array,
        counts: Array,
        words: Array,
        empty: Array,
        junctions: Array,
        stepped: Array,
        hushed: Array,
        came: Array,
    ) -> None:
        """Fill in the nats of junctions [T + 1, M + 1], and how the best paths came there.

        Scores [T, C] in nats; `columns` [V, S] says which of them a state of a word takes, `counts`
        [V] how many states it has; nats of words in slots [M, V] and of empty slots [M]. `stepped`
        [T, M, V, S] and `hushed` [T, M + 1, silence] are 1 where a state was entered in this frame,
        `came` [T, M + 1] holds a word, IN_SILENCE or EMPTY. The first junctions are those before
        all frames.
        """
        _ = version
        slots, vocabulary = words.shape
        said = np.full((slots, vocabulary, columns.shape[1]), NEVER)
        silent = np.full((slots + 1, SILENCE_STATES), NEVER)
        at = np.zeros(slots + 1)
        for m in range(slots):
            at[m + 1] = at[m] + empty[m]
        junctions[0] = at
        for t in range(scores.shape[0]):
            _say(scores[t], columns, counts, words, at, said, stepped[t])
            _hush(scores[t, 0], at, silent, hushed[t])
            _arrive(counts, empty, said, silent, at, came[t])
            junctions[t + 1] = at

    return search


@cached(_SOURCES, fastmath=())
def trace(version: int) -> Function:
    """The compiled walk back along the best path."""

    def walk(
        columns: Array,
        counts: Array,
        stepped: Array,
        hushed: Array,
        came: Array,
        held: Array,
        heard: Array,
    ) -> None:
        """Write which word each slot holds [M], EMPTY for none, and the column of each frame [T].

        The other arrays are those of `forward`.
        """
        _ = version
        held[:] = EMPTY
        t = heard.shape[0] - 1
        j = held.shape[0]
        while t >= 0:
            how = came[t, j]
            if how == EMPTY:
                j -= 1
            elif how == IN_SILENCE:
                s = SILENCE_STATES - 1
                while s >= 0 and t >= 0:
                    heard[t] = 0
                    s -= hushed[t, j, s]
                    t -= 1
            else:
                j -= 1
                held[j] = how
                s = counts[how] - 1
                while s >= 0 and t >= 0:
                    heard[t] = columns[how, s]
                    s -= stepped[t, j, how, s]
                    t -= 1

    return walk


@jit(fastmath=())
def _say_back(
    scores: Array, columns: Array, counts: Array, words: Array, behind: Array, said: Array
) -> None:
    """Take the nats of all that follows from states of words [M, V, S] one frame back."""
    slots, vocabulary = words.shape
    for m in range(slots):
        for v in range(vocabulary):
            if words[m, v] <= NEVER:
                continue
            for s in range(counts[v]):
                after = behind[m + 1]
                if s + 1 < counts[v]:
                    after = said[m, v, s + 1]
                said[m, v, s] = max(said[m, v, s], after) + scores[columns[v, s]]


@jit(fastmath=())
def _hush_back(score: Array, behind: Array, silent: Array) -> None:
    """The same of states of silences [M + 1, states]."""
    for j in range(behind.shape[0]):
        for s in range(SILENCE_STATES):
            after = behind[j]
            if s + 1 < SILENCE_STATES:
                after = silent[j, s + 1]
            silent[j, s] = max(silent[j, s], after) + score


@cached(_SOURCES, fastmath=())
def through_words(version: int) -> Function:
    """The compiled search from the last frame to the first."""

    def search(
        scores: Array,
        columns: Array,
        counts: Array,
        words: Array,
        empty: Array,
        junctions: Array,
        alone: Array,
        through: Array,
        over: Array,
    ) -> None:
        """Fill in the nats of the best paths through words of slots [M, V], and over slots [M].

        In the other slots a path may hold what is not `alone` [M, V], of words that are tried in
        their own slot only. The other arrays are those of `forward`; `over` is without what an
        empty slot costs.
        """
        _ = version
        slots, vocabulary = words.shape
        through[:] = NEVER
        over[:] = NEVER
        said = np.full((slots, vocabulary, columns.shape[1]), NEVER)
        silent = np.full((slots + 1, SILENCE_STATES), NEVER)
        behind = np.zeros(slots + 1)
        for m in range(slots - 1, -1, -1):
            behind[m] = behind[m + 1] + empty[m]
        for t in range(scores.shape[0] - 1, -1, -1):
            for m in range(slots):
                over[m] = max(over[m], junctions[t + 1, m] + behind[m + 1])
            _say_back(scores[t], columns, counts, words, behind, said)
            _hush_back(scores[t, 0], behind, silent)
            behind[slots] = silent[slots, 0]
            for m in range(slots - 1, -1, -1):
                behind[m] = max(silent[m, 0], behind[m + 1] + empty[m])
                for v in range(vocabulary):
                    entered = words[m, v] + said[m, v, 0]
                    through[m, v] = max(through[m, v], junctions[t, m] + entered)
                    if not alone[m, v]:
                        behind[m] = max(behind[m], entered)
        for m in range(slots):
            over[m] = max(over[m], junctions[0, m] + behind[m + 1])

    return search
