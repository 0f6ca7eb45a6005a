"""What a network mishears again and again, which is then no error of transcripts.

Errors of transcripts fall on pairs (written, said) as chance has it, and those of a network on few
pairs. What a pair has beyond chance (its expectation, a deviation, and one) is taken for the
network's, and so is what pairs that sound alike to it have beyond the others.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ctcasr.audit.slotarrays import Floats, SlotArrays
from ctcasr.audit.wordnoise import Posteriors, WordNoise

_NEVER = 1e-9  # times; nothing is divided by none
_ONCE = 1.0  # a pair that is seen once is no habit
_FEW = 4.0  # errors that a class of pairs may have beyond the others
_CLASSES = 6  # of pairs, from the least alike to the most
_LOWEST = 3  # of those classes, in which errors are taken for those of transcripts


def without_habits(raw: Posteriors, noise: WordNoise, arrays: SlotArrays) -> Posteriors:
    """What is believed of each slot, less what the network mishears.

    Of a pair (written, said) as many are expected to be errors of transcripts as chance puts
    there; where more are seen, each is believed in that much less.
    """
    pairs = _Pairs(arrays)
    belief_in_pairs = pairs.belief_in_each(raw, noise) * pairs.belief_by_likeness(raw)
    belief_in_nothing = _belief_in_nothing(raw, noise, arrays)
    return replace(
        raw,
        another=raw.another * belief_in_pairs[pairs.places],
        nothing=raw.nothing * belief_in_nothing[arrays.written],
    )


class _Pairs:
    """Each pair of what is written and another word, and where it occurs."""

    def __init__(self, arrays: SlotArrays) -> None:
        self.arrays = arrays
        gap_number = len(arrays.vocabulary.words)
        pairs = arrays.written[:, None] * (gap_number + 1) + arrays.words
        self.pairs, places = np.unique(pairs, return_inverse=True)
        self.places = places.reshape(pairs.shape)  # [S, K]
        self.is_of_gap = self.pairs // (gap_number + 1) == gap_number

    def count(self, weights: Floats) -> Floats:
        """Sums of weights [S, K] over the places of each pair."""
        counts = np.bincount(self.places.ravel(), weights.ravel(), len(self.pairs))
        return counts.astype(np.float64)

    def belief_in_each(self, raw: Posteriors, noise: WordNoise) -> Floats:
        """Of each pair, by how often it is seen."""
        share_of_errors = np.where(self.arrays.gap, noise.missing, noise.substituted)
        expected = self.count(self.arrays.shares * share_of_errors[:, None])
        return _belief(self.count(raw.another), expected)

    def belief_by_likeness(self, raw: Posteriors) -> Floats:
        """Of each pair, by how alike its words are to the network.

        Errors of transcripts fall on like and unlike pairs as chance has it; a network mistakes
        what is alike.
        """
        chances = self.count(np.where(self.arrays.other, self.arrays.shares, 0.0))
        seen = self.count(raw.another)
        likeness = self._likeness(raw)
        belief = np.ones(len(self.pairs))
        for of_gaps in (False, True):
            chosen = np.flatnonzero((self.is_of_gap == of_gaps) & (chances > 0))
            least_alike_first = chosen[np.argsort(likeness[chosen], kind="stable")]
            belief[least_alike_first] = _belief_in_classes(
                seen[least_alike_first], chances[least_alike_first]
            )
        return belief

    def _likeness(self, raw: Posteriors) -> Floats:
        """Mean nats by which the other word of a pair fits better, where what is written is right.

        Below 0, for pairs that are seldom mistaken far below.
        """
        arrays = self.arrays
        own_nats = np.where(arrays.own, arrays.nats, -np.inf).max(1, initial=-np.inf)
        written_nats = np.where(arrays.gap, arrays.nothing, own_nats)
        ahead = np.where(arrays.other, arrays.nats - written_nats[:, None], 0.0)
        right = 1 - raw.another.sum(1) - raw.nothing
        weights = np.where(arrays.other, right[:, None], 0.0)
        sums = self.count(weights * ahead)
        likeness: Floats = sums / np.maximum(self.count(weights), _NEVER)
        return likeness


def _belief_in_nothing(raw: Posteriors, noise: WordNoise, arrays: SlotArrays) -> Floats:
    """Of each written word that nobody said; the last is that of gaps."""
    numbers = len(arrays.vocabulary.words) + 1
    seen = np.bincount(arrays.written, raw.nothing, numbers)
    slots = np.bincount(arrays.written, minlength=numbers)
    return _belief(seen, noise.superfluous * slots)


def _belief_in_classes(seen: NDArray[Any], chances: NDArray[Any]) -> Floats:
    """Of pairs in their order, by the class that each is in; classes have the same chances."""
    if not len(seen):
        return np.ones(0)
    share_before = np.cumsum(chances) / chances.sum()
    classes = np.minimum((share_before * _CLASSES).astype(np.int64), _CLASSES - 1)
    seen_of_class = np.bincount(classes, seen, _CLASSES)
    chances_of_class = np.bincount(classes, chances, _CLASSES)
    rates = seen_of_class / np.maximum(chances_of_class, _NEVER)
    rate_of_transcripts = np.sort(rates)[:_LOWEST].mean()
    belief = _belief(seen_of_class, rate_of_transcripts * chances_of_class, _FEW)
    return belief[classes]


def _belief(seen: NDArray[Any], expected: NDArray[Any], more: float = _ONCE) -> Floats:
    """The share of what is seen that chance explains, at one deviation above its mean, and more."""
    deviation = np.sqrt(expected)
    by_chance = expected + deviation + more
    explained = by_chance / np.maximum(seen, by_chance)
    return np.minimum(explained, 1.0)
