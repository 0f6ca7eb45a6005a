"""A text as slots, and which words are said in them: the best paths by models of words.

Shape letters: T frames, C columns of scores, M slots, V words, S states of the longest word.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ctcasr.word_times.aligner import MOST_CELLS, SILENCE_COLUMN, WordAligner
from ctcasr.word_times.features import Array

NEVER = -1e30  # nats of what cannot be; so in slot_paths.py
NOISE_STATES = 3  # frames that what is no word lasts at least


@dataclass(frozen=True)
class Lexicon:
    """Words as states; the last of V is no word, but any sound that no state stands for."""

    words: tuple[str, ...]  # V - 1 of them
    columns: Array  # int64 [V, S] of scores
    counts: Array  # int64 [V] of states
    noise: int  # the column of what is no word

    @staticmethod
    def of(words: Sequence[str], aligner: WordAligner) -> Lexicon:
        """Words as an aligner knows them."""
        states = [aligner.columns_of(word) for word in words]
        states.append([aligner.anything] * NOISE_STATES)
        counts = np.array([len(own) for own in states])
        columns = np.zeros((len(states), counts.max()), np.int64)
        for number, own in enumerate(states):
            columns[number, : len(own)] = own
        return Lexicon(tuple(words), columns, counts, aligner.anything)


@dataclass(frozen=True)
class SlotPath:
    """What is said on the best path."""

    words: tuple[str | None, ...]  # [M] of each slot; None: nothing, or no word
    columns: Array  # [T] what each frame is; what is no word counts as silence
    junctions: Array  # [T + 1, M + 1] nats of the best beginnings


@dataclass(frozen=True)
class Slots:
    """What each of M slots may hold, in nats."""

    lexicon: Lexicon
    nats: Array  # [M, V] of words; NEVER where one cannot be
    empty: Array  # [M] of nothing

    def path(self, scores: Array) -> SlotPath | None:
        """The best path through scores [T, C]; None where there is none, or too many for memory."""
        from ctcasr.word_times.slot_paths import SILENCE_STATES, forward, trace

        frames = len(scores)
        slots = len(self.empty)
        lexicon = self.lexicon
        if frames == 0 or frames * slots * lexicon.columns.size > MOST_CELLS:
            return None
        junctions = np.empty((frames + 1, slots + 1))
        stepped = np.zeros((frames, slots, *lexicon.columns.shape), np.int8)
        hushed = np.zeros((frames, slots + 1, SILENCE_STATES), np.int8)
        came = np.empty((frames, slots + 1), np.int64)
        states = (lexicon.columns, lexicon.counts)
        forward(scores, *states, self.nats, self.empty, junctions, stepped, hushed, came)
        if junctions[-1, -1] < NEVER / 2:
            return None
        held = np.empty(slots, np.int64)
        columns = np.empty(frames, np.int64)
        trace(*states, stepped, hushed, came, held, columns)
        columns[columns == lexicon.noise] = SILENCE_COLUMN
        said = [
            lexicon.words[number] if 0 <= number < len(lexicon.words) else None for number in held
        ]
        return SlotPath(tuple(said), columns, junctions)

    def through(
        self, scores: Array, junctions: Array, alone: Array | None = None
    ) -> tuple[Array, Array]:
        """Nats of the best paths through each word of each slot [M, V], and over each slot [M].

        Of the junctions of a path through the same scores [T, C]. Words that are `alone` [M, V] are
        tried in their own slot, and other slots do not hold them. Over a slot is without what its
        emptiness costs.
        """
        from ctcasr.word_times.slot_paths import through_words

        if alone is None:
            alone = np.zeros(self.nats.shape, bool)
        words = np.empty(self.nats.shape)
        over = np.empty(len(self.empty))
        lexicon = self.lexicon
        graph = (scores, lexicon.columns, lexicon.counts, self.nats, self.empty)
        through_words(*graph, junctions, alone, words, over)
        return words, over
