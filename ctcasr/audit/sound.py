"""A second opinion: what models of words hear in a line from which they did not learn.

They know how words sound as wholes, and nothing of letters; a network of few epochs knows letters,
and mishears words that it has not met often. Where both prefer another word, it was said.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from ctcasr.word_times import Doubts
from ctcasr.word_times.aligner import SILENCE_COLUMN, Sentence
from ctcasr.word_times.features import Array
from ctcasr.word_times.fit import Spoken
from ctcasr.word_times.slots import NEVER, Lexicon, Slots

KEPT_SENTENCES = 20_000  # all texts of a manifest are asked of every line
KEPT_LEXICONS = 64  # of small vocabularies there is one
NO_ROOM = -1e3  # nats of a text that has more states than there are frames


class Ears:
    """Models of words of some lines, and what they hear in others."""

    def __init__(self, doubts: Doubts) -> None:
        self.doubts = doubts
        self.sentence = lru_cache(KEPT_SENTENCES)(self._sentence)  # texts as states
        self.lexicon = lru_cache(KEPT_LEXICONS)(self._lexicon)  # words as states

    def listen(self, spoken: Spoken) -> Sound:
        """What is heard in a line."""
        frames = self.doubts.aligner.project(spoken.heard.spliced)
        return Sound(self, frames.astype(np.float32), spoken.words)

    def _sentence(self, text: str) -> Sentence:
        return self.doubts.aligner.sentence(text.split())

    def _lexicon(self, words: tuple[str, ...]) -> Lexicon:
        return Lexicon.of(words, self.doubts.aligner)


@dataclass(frozen=True, eq=False)
class Sound:
    """One line, as models of words hear it: nats are beside those of the words they believe in."""

    ears: Ears
    frames: Array  # float32 [T, d]
    written: tuple[str, ...]

    def nats(self, texts: Sequence[str]) -> Array:
        """Nats of each text."""
        scores = self._scores
        nats = [self.ears.sentence(text).nats(scores) for text in texts]
        return np.maximum(np.array(nats) - self._best, NO_ROOM)

    def nats_in_slots(
        self, context: Sequence[str], words: tuple[str, ...]
    ) -> tuple[Array, Array] | None:
        """Nats with each of V words in each slot [M, V], and with nothing in it [M].

        The other slots hold what `context` has, a word each or "". None where it has no room.
        """
        lexicon = self.ears.lexicon(words)
        number_of = {word: number for number, word in enumerate(words)}
        shape = (len(context), len(lexicon.counts))
        held = np.full(shape, NEVER)
        tried = np.zeros(shape)
        tried[:, -1] = NEVER  # noise is no word
        empty = np.full(len(context), NEVER)
        for slot, word in enumerate(context):
            if word:
                held[slot, number_of[word]] = 0.0
            else:
                empty[slot] = 0.0
        scores = self._scores
        path = Slots(lexicon, held, empty).path(scores)
        if path is None:
            return None
        through, over = Slots(lexicon, tried, empty).through(scores, path.junctions, held == NEVER)
        through = np.maximum(through[:, :-1] - self._best, NO_ROOM)
        return through, np.maximum(over - self._best, NO_ROOM)

    @property
    def _scores(self) -> Array:
        doubts = self.ears.doubts
        scores = doubts.trust * doubts.aligner.scores(self.frames.astype(np.float64))
        return np.ascontiguousarray(scores)

    @cached_property
    def _best(self) -> float:
        """Nats of the words that are believed in."""
        scores = self._scores
        path = self.ears.doubts.slots(self.written).path(scores)
        words = self.written
        if path is not None:
            words = tuple(word for word in path.words if word is not None)
        best = self.ears.sentence(" ".join(words)).nats(scores)
        silence = float(scores[:, SILENCE_COLUMN].sum())
        return max(best, silence)
