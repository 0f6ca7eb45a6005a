"""A text as slots: a word, a gap, a word, ...; what each slot would hold if it were wrong.

Every slot holds a word or nothing. A word slot that truly holds another word was substituted; one
that truly holds nothing is superfluous; a gap that truly holds a word is where one is missing. So
one table answers all three: how well the recording fits with each candidate in each slot.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import Levenshtein

from ctcasr.audit.heard import Heard
from ctcasr.audit.scorer import Spelling, by_network
from ctcasr.audit.sound import Sound

NOTHING = ""
_ALL_WORDS = 160  # a vocabulary of so many is tried as a whole, of a larger one the nearest
_NEAREST = 64


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """The words of all texts, and how frequent each is."""

    words: tuple[str, ...]
    log_shares: NDArray[np.float64]  # [V]

    @staticmethod
    def of(texts: Sequence[str]) -> Vocabulary:
        """The words of texts; one that is rare is drawn rarely where a word is wrong.

        Example:
            >>> Vocabulary.of(["a b", "a"]).words
            ('a', 'b')
        """
        counts = Counter(word for text in texts for word in text.split())
        words = tuple(sorted(counts))
        numbers = np.array([counts[word] for word in words], dtype=np.float64)
        return Vocabulary(words, np.log(numbers / max(numbers.sum(), 1.0)))

    def near(self, heard_words: Sequence[str], written: str) -> list[int]:
        """Which words are worth trying in a slot of a line; all of a small vocabulary."""
        if len(self.words) <= _ALL_WORDS:
            return list(range(len(self.words)))
        sounds = [*heard_words, written] if written else list(heard_words)
        distance = []
        for word in self.words:
            far = [Levenshtein.normalized_distance(word, sound) for sound in sounds]
            distance.append(min(far, default=1.0))
        nearest = np.argsort(distance, kind="stable")[:_NEAREST].tolist()
        if written in self.words:
            nearest.append(self.words.index(written))
        return sorted(set(nearest))


@dataclass(frozen=True, eq=False)
class SlotTable:
    """One slot with its context: nats of the line with each candidate in it."""

    written: str  # what the transcript has here; empty: a gap
    nothing: float  # nats with nothing in it
    words: NDArray[np.int64]  # numbers of the candidates in the vocabulary
    nats: NDArray[np.float64]  # of each of them

    @property
    def gap(self) -> bool:
        """Whether the transcript has nothing here."""
        return self.written == NOTHING


def slots_of(words: Sequence[str]) -> list[str]:
    """The slots of a text: a gap, then each word with a gap behind it.

    Example:
        >>> slots_of(["bin", "blue"])
        ['', 'bin', '', 'blue', '']
    """
    slots = [NOTHING]
    for word in words:
        slots += [word, NOTHING]
    return slots


def text_of(slots: Sequence[str]) -> str:
    """The text that slots hold.

    Example:
        >>> text_of(["", "bin", "red", "blue", ""])
        'bin red blue'
    """
    return " ".join(word for word in slots if word)


def tables(
    heard: Heard,
    written: Sequence[str],
    context: Sequence[str],
    vocabulary: Vocabulary,
    spelling: Spelling,
) -> list[SlotTable]:
    """A table for each slot of the written text; the other slots hold what `context` has."""
    heard_words = heard.hypothesis.split()
    texts: list[str] = []
    candidates: list[list[int]] = []
    for place, word in enumerate(written):
        near = vocabulary.near(heard_words, word)
        candidates.append(near)
        slots = list(context)
        for candidate in (NOTHING, *(vocabulary.words[number] for number in near)):
            slots[place] = candidate
            texts.append(text_of(slots))
    distinct = list(dict.fromkeys(texts))
    nats = dict(zip(distinct, by_network(heard, distinct, spelling), strict=True))
    made = []
    start = 0
    for word, near in zip(written, candidates, strict=True):
        end = start + 1 + len(near)
        values = np.array([nats[text] for text in texts[start:end]])
        made.append(SlotTable(word, values[0], np.array(near, dtype=np.int64), values[1:]))
        start = end
    if heard.sound is None:
        return made
    return _with_sound(made, heard.sound, context, vocabulary, spelling.sound)


def _with_sound(
    of_network: Sequence[SlotTable],
    sound: Sound,
    context: Sequence[str],
    vocabulary: Vocabulary,
    worth: float,
) -> list[SlotTable]:
    """The tables with what models of words hear in the same slots.

    A nat of theirs is worth so many of the network's, which are fewer here: the whole is trusted no
    more than the surer part.
    """
    numbers = sorted({number for table in of_network for number in table.words.tolist()})
    tried = [vocabulary.words[number] for number in numbers]
    words = tuple(dict.fromkeys([*tried, *filter(None, context)]))
    nats = sound.nats_in_slots(context, words)
    if nats is None:
        return list(of_network)
    through, over = nats
    place_of = np.zeros(len(vocabulary.words), dtype=np.int64)
    place_of[numbers] = np.arange(len(numbers))
    made = []
    for slot, table in enumerate(of_network):
        of_words = through[slot, place_of[table.words]]
        nothing = table.nothing / worth + float(over[slot])
        made.append(replace(table, nothing=nothing, nats=table.nats / worth + of_words))
    return made
