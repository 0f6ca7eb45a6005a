"""How transcripts go wrong, word by word: a model of few numbers, fitted to the corpus itself.

A word is right, or drawn at random from the words of the corpus in place of another one
(substituted) or of nothing (superfluous); a word that was said is missing with some probability.
With q the shares of words and f(v) = e^(b nats(v) + d(v)) the fit of a candidate, of a word slot

    right:        (1 - s - i) f(written)
    substituted:  s sum over other words v of q(v) f(v)
    superfluous:  i f(nothing)

and of a gap   nothing: (1 - m) f(nothing),   missing: m sum over words v of q(v) f(v).
The shares s, i and m are fitted by expectation maximisation; d, the words that the network likes
too little (and nothing), so that as much of each is believed to be said as is written; b, which
says how far the network's confidence can be trusted, by the likelihood of what is written.

A network mishears. Wrong transcripts are not told from that by one line, but by all: errors of
transcripts fall on pairs (written, said) as chance has it, and those of a network on few pairs.
What a pair has beyond chance is taken for the network's, and so is what pairs that sound alike to
it have beyond the others (`SlotArrays.posteriors`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from ctcasr.audit.slots import SlotTable, Vocabulary

Floats = NDArray[np.float64]

TRUSTS = (0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.65, 0.8, 1.0)
_ROUNDS = 15
# Errors that are believed in before anything was seen, of so many slots: no share becomes 0.
_PRIOR_ERRORS = 0.1
_PRIOR_SLOTS = 40.0
_SMALLEST_SHARE = 1e-5
_LARGEST_SHARE = 0.49  # more, and "wrong" would be the usual state of a word
_NEVER = 1e-9  # times; nothing is divided by none
_MOST_BIAS = 6.0  # nats
_MOST_SILENCE = 20.0  # nats
_NO_WORD = 5.0  # times that a word is said before its bias is its own
_ONCE = 1.0  # a pair that is seen once is no habit
_FEW = 4.0  # errors that a class of pairs may have beyond the others
_CLASSES = 6  # of pairs, from the least alike to the most
_LOWEST = 3  # of those classes, in which errors are taken for those of transcripts


@dataclass(frozen=True, eq=False)
class WordNoise:
    """Shares of wrong words, and how far the network is trusted."""

    substituted: float = 0.05
    superfluous: float = 0.02
    missing: float = 0.02
    trust: float = 0.5
    bias: Floats = field(default_factory=lambda: np.zeros(0))  # d [V] of the words
    silence: float = 0.0  # d of nothing

    def fits(self, slot: SlotTable) -> Floats:
        """b nats + d of each candidate of a slot."""
        return self.trust * slot.nats + self.bias[slot.words]

    def fit_of_nothing(self, slot: SlotTable) -> float:
        """The same of nothing in the slot."""
        return self.trust * slot.nothing + self.silence


@dataclass(frozen=True, eq=False)
class Posteriors:
    """What is believed of each slot."""

    another: Floats  # [slots, candidates] that the candidate was said, and not what is written
    nothing: Floats  # [slots] that nothing was said where a word is written


@dataclass(frozen=True, eq=False)
class _LogWeights:
    """What each explanation of a slot weighs, in nats; -inf where the slot has no such one."""

    right: Floats  # [slots] as written
    another: Floats  # [slots, candidates] another word instead
    nothing: Floats  # [slots] nothing instead of a word

    def total(self) -> Floats:
        """Of all explanations together [slots]."""
        columns = np.column_stack([self.right, self.another, self.nothing])
        total: Floats = logsumexp(columns, axis=1)
        return total


class SlotArrays:
    """The tables of a corpus side by side, so that fitting is arithmetic of arrays.

    V words in the vocabulary, S slots, K candidates in the slot that has most; a slot with fewer is
    filled up with candidates of -inf nats.
    """

    def __init__(self, slots: Sequence[SlotTable], vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary
        slot_count = len(slots)
        widest = max((len(slot.nats) for slot in slots), default=0)
        gap_number = len(vocabulary.words)  # stands for "a gap" among the numbers of words
        number_of = {word: number for number, word in enumerate(vocabulary.words)}

        self.nats = np.full((slot_count, widest), -np.inf)  # [S, K]
        self.words = np.zeros((slot_count, widest), dtype=np.int64)  # [S, K]
        self.nothing = np.array([slot.nothing for slot in slots])  # [S]
        self.written = np.full(slot_count, gap_number, dtype=np.int64)  # [S]
        for row, slot in enumerate(slots):
            candidates = len(slot.nats)
            self.nats[row, :candidates] = slot.nats
            self.words[row, :candidates] = slot.words
            if not slot.gap:
                self.written[row] = number_of[slot.written]

        self.gap = self.written == gap_number  # [S]
        is_candidate = np.isfinite(self.nats)
        is_written = self.words == self.written[:, None]
        self.own = is_written & is_candidate  # [S, K] the candidate that is what is written
        self.log_shares = vocabulary.log_shares[self.words]  # [S, K]

        # A number for each pair (written, said), and where it stands among those that occur.
        pairs = self.written[:, None] * (gap_number + 1) + self.words
        self._pairs, places = np.unique(pairs, return_inverse=True)
        self._places = places.reshape(pairs.shape)

    def fit(self) -> WordNoise:
        """The shares, biases and trust under which the written texts are likeliest."""
        best = WordNoise(bias=np.zeros(len(self.vocabulary.words)))
        best_likelihood = -np.inf
        for trust in TRUSTS:
            noise = WordNoise(trust=trust, bias=best.bias, silence=best.silence)
            for _ in range(_ROUNDS):
                noise = self._improved(noise)
            likelihood = self._likelihood(noise)
            if likelihood > best_likelihood:
                best = noise
                best_likelihood = likelihood
        return best

    def posteriors(self, noise: WordNoise) -> Posteriors:
        """What is believed of each slot, less what the network mishears.

        Of a pair (written, said) as many are expected to be errors of transcripts as chance puts
        there; where more are seen, each is believed in that much less.
        """
        raw = self._raw(noise)
        belief_in_pairs = self._belief_in_pairs(raw.another, noise) * self._belief_by_likeness(raw)
        belief_in_nothing = self._belief_in_nothing(raw.nothing, noise)
        return Posteriors(
            another=raw.another * belief_in_pairs[self._places],
            nothing=raw.nothing * belief_in_nothing[self.written],
        )

    def _belief_in_pairs(self, another: Floats, noise: WordNoise) -> Floats:
        """Of each pair of a written and another word."""
        share_of_errors = self._share_of_errors(noise)
        by_chance = np.exp(self.log_shares) * share_of_errors[:, None]
        pairs = self._places.ravel()
        pair_count = len(self._pairs)
        seen = np.bincount(pairs, another.ravel(), pair_count)
        expected = np.bincount(pairs, by_chance.ravel(), pair_count)
        return _belief(seen, expected)

    def _belief_by_likeness(self, raw: Posteriors) -> Floats:
        """Of each pair, by how alike its words are to the network.

        Errors of transcripts fall on like and unlike pairs as chance has it; a network mistakes
        what is alike.
        """
        pair_count = len(self._pairs)
        pairs = self._places.ravel()
        by_chance = np.where(self._is_other, np.exp(self.log_shares), 0.0)
        chances = np.bincount(pairs, by_chance.ravel(), pair_count)
        seen = np.bincount(pairs, raw.another.ravel(), pair_count)
        likeness = self._likeness(raw)
        gap_number = len(self.vocabulary.words)
        is_of_gap = self._pairs // (gap_number + 1) == gap_number
        belief = np.ones(pair_count)
        for of_gaps in (False, True):
            chosen = np.flatnonzero((is_of_gap == of_gaps) & (chances > 0))
            least_alike_first = chosen[np.argsort(likeness[chosen], kind="stable")]
            belief[least_alike_first] = _belief_in_classes(
                seen[least_alike_first], chances[least_alike_first]
            )
        return belief

    def _likeness(self, raw: Posteriors) -> Floats:
        """Mean nats by which the other word of a pair fits better, where what is written is right.

        Below 0, for pairs that are seldom mistaken far below.
        """
        own_nats = np.where(self.own, self.nats, -np.inf).max(1, initial=-np.inf)
        written_nats = np.where(self.gap, self.nothing, own_nats)
        ahead = np.where(self._is_other, self.nats - written_nats[:, None], 0.0)
        right = 1 - raw.another.sum(1) - raw.nothing
        weights = np.where(self._is_other, right[:, None], 0.0)
        pairs = self._places.ravel()
        sums = np.bincount(pairs, (weights * ahead).ravel(), len(self._pairs))
        totals = np.bincount(pairs, weights.ravel(), len(self._pairs))
        likeness: Floats = sums / np.maximum(totals, _NEVER)
        return likeness

    @property
    def _is_other(self) -> NDArray[np.bool_]:
        """Candidates that are not what is written [S, K]."""
        is_other: NDArray[np.bool_] = np.isfinite(self.nats) & ~self.own
        return is_other

    def _belief_in_nothing(self, nothing: Floats, noise: WordNoise) -> Floats:
        """Of each written word that nobody said; the last is that of gaps."""
        numbers = len(self.vocabulary.words) + 1
        seen = np.bincount(self.written, nothing, numbers)
        slots = np.bincount(self.written, minlength=numbers)
        expected = noise.superfluous * slots
        return _belief(seen, expected)

    def _share_of_errors(self, noise: WordNoise) -> Floats:
        """How many slots of a slot's kind truly hold another word [S]."""
        return np.where(self.gap, noise.missing, noise.substituted)

    def _fits(self, noise: WordNoise) -> Floats:
        """ln f of every candidate [S, K]."""
        return noise.trust * self.nats + noise.bias[self.words]

    def _fit_of_nothing(self, noise: WordNoise) -> Floats:
        """ln f of nothing in every slot [S]."""
        return noise.trust * self.nothing + noise.silence

    def _log_weights(self, noise: WordNoise) -> _LogWeights:
        """The three lines of the module's model, of every slot."""
        fits = self._fits(noise)
        fit_of_nothing = self._fit_of_nothing(noise)
        own_fits = np.where(self.own, fits, -np.inf)
        fit_of_written = own_fits.max(1, initial=-np.inf)

        log_word_right = np.log1p(-noise.substituted - noise.superfluous)
        log_gap_right = np.log1p(-noise.missing)
        right_word = log_word_right + fit_of_written
        right_gap = log_gap_right + fit_of_nothing

        log_error = np.log(self._share_of_errors(noise))
        another = log_error[:, None] + fits + self.log_shares
        superfluous = np.log(noise.superfluous) + fit_of_nothing
        return _LogWeights(
            right=np.where(self.gap, right_gap, right_word),
            another=np.where(self.own, -np.inf, another),
            nothing=np.where(self.gap, -np.inf, superfluous),
        )

    def _raw(self, noise: WordNoise) -> Posteriors:
        """Posteriors by the network alone."""
        weights = self._log_weights(noise)
        total = weights.total()
        return Posteriors(
            another=np.exp(weights.another - total[:, None]),
            nothing=np.exp(weights.nothing - total),
        )

    def _improved(self, noise: WordNoise) -> WordNoise:
        """One round of expectation maximisation."""
        believed = self._raw(noise)
        another = believed.another.sum(1)
        right = 1 - another - believed.nothing
        is_word = ~self.gap
        words = len(self.vocabulary.words)

        # As much of each word should be believed to be said as is written.
        written_words = self.written[is_word]
        candidates = self.words[is_word].ravel()
        believed_candidates = believed.another[is_word].ravel()
        said = np.bincount(candidates, believed_candidates, words)
        said += np.bincount(written_words, right[is_word], words)
        written = np.bincount(written_words, minlength=words)
        louder = np.log((written + _NO_WORD) / (said + _NO_WORD))
        bias = noise.bias + louder

        # And as many slots should be believed to be empty as are gaps.
        gaps = self.gap.sum()
        believed_empty = float(np.exp(self._log_empty(noise)).sum())
        quieter = np.log(gaps / max(believed_empty, 1.0))
        silence = np.clip(noise.silence + quieter, -_MOST_SILENCE, _MOST_SILENCE)
        return replace(
            noise,
            substituted=_share(another[is_word]),
            superfluous=_share(believed.nothing[is_word]),
            missing=_share(another[self.gap]),
            bias=np.clip(bias, -_MOST_BIAS, _MOST_BIAS),
            silence=float(silence),
        )

    def _log_words(self) -> tuple[float, float]:
        """ln of the share of slots that hold a word, and of those that hold nothing."""
        words = float((~self.gap).mean())
        log_word = float(np.log(words))
        log_gap = float(np.log1p(-words))
        return log_word, log_gap

    def _log_empty(self, noise: WordNoise) -> Floats:
        """ln of the posterior that a slot is empty, whatever is written in it [S]."""
        log_word, log_gap = self._log_words()
        weights = self._fits(noise) + self.log_shares
        any_word = log_word + logsumexp(weights, axis=1)
        nothing = log_gap + self._fit_of_nothing(noise)
        return nothing - np.logaddexp(any_word, nothing)

    def _likelihood(self, noise: WordNoise) -> float:
        """ln likelihood of what is written in all slots, among all that could be.

        The sum over all that could be is not computed anew: it is the weight of nothing over the
        posterior of nothing.
        """
        log_word, log_gap = self._log_words()
        written = self._log_weights(noise).total()
        weight_of_nothing = log_gap + self._fit_of_nothing(noise)
        all_that_could_be = weight_of_nothing - self._log_empty(noise)
        prior = np.where(self.gap, log_gap, log_word)
        log_likelihoods = prior + written - all_that_could_be
        return float(log_likelihoods.sum())


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


def _share(posteriors: Floats) -> float:
    """Mean posterior, drawn a little towards few errors; never 0 nor more than nearly half."""
    errors = float(posteriors.sum()) + _PRIOR_ERRORS
    slots = len(posteriors) + _PRIOR_SLOTS
    share = errors / slots
    return min(max(share, _SMALLEST_SHARE), _LARGEST_SHARE)
