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
What a pair has beyond chance is taken for the network's (`SlotArrays.posteriors`).
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
_FEW = 0.1  # errors that are believed in before anything was seen, of ...
_OF_MANY = 40.0  # ... so many slots
_MOST_BIAS = 6.0  # nats
_MOST_SILENCE = 20.0  # nats
_NO_WORD = 5.0  # times that a word is said before its bias is its own
_ONCE = 1.0  # a pair that is seen once is no habit


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


class SlotArrays:
    """The tables of a corpus side by side, so that fitting is arithmetic of arrays."""

    def __init__(self, slots: Sequence[SlotTable], vocabulary: Vocabulary) -> None:
        width = max((len(slot.nats) for slot in slots), default=0)
        count = len(vocabulary.words)
        self.vocabulary = vocabulary
        self.nats = np.full((len(slots), width), -np.inf)
        self.words = np.zeros((len(slots), width), dtype=np.int64)
        self.nothing = np.array([slot.nothing for slot in slots])
        self.written = np.full(len(slots), count, dtype=np.int64)  # count: a gap
        number_of = {word: number for number, word in enumerate(vocabulary.words)}
        for row, slot in enumerate(slots):
            self.nats[row, : len(slot.nats)] = slot.nats
            self.words[row, : len(slot.nats)] = slot.words
            if not slot.gap:
                self.written[row] = number_of[slot.written]
        self.gap = self.written == count
        self.own = (self.words == self.written[:, None]) & np.isfinite(self.nats)
        self.log_shares = vocabulary.log_shares[self.words]
        pairs = self.written[:, None] * (count + 1) + self.words
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
        of_pairs = self._belief_in_pairs(raw.another, noise)
        of_nothing = self._belief_in_nothing(raw.nothing, noise)
        return Posteriors(
            another=raw.another * of_pairs[self._places],
            nothing=raw.nothing * of_nothing[self.written],
        )

    def _belief_in_pairs(self, another: Floats, noise: WordNoise) -> Floats:
        """Of each pair of a written and another word."""
        share = self._share_of_errors(noise)
        chance = np.exp(self.log_shares) * share[:, None]
        pairs = self._places.ravel()
        count = len(self._pairs)
        seen = np.bincount(pairs, another.ravel(), count)
        expected = np.bincount(pairs, chance.ravel(), count)
        return _belief(seen, expected)

    def _belief_in_nothing(self, nothing: Floats, noise: WordNoise) -> Floats:
        """Of each written word that nobody said; the last is that of gaps."""
        size = len(self.vocabulary.words) + 1
        seen = np.bincount(self.written, nothing, size)
        slots = np.bincount(self.written, minlength=size)
        return _belief(seen, noise.superfluous * slots)

    def _share_of_errors(self, noise: WordNoise) -> Floats:
        """How many slots of a slot's kind truly hold another word [slots]."""
        return np.where(self.gap, noise.missing, noise.substituted)

    def _log_weights(self, noise: WordNoise) -> tuple[Floats, Floats, Floats]:
        """Of as written [slots], of each candidate instead [slots, candidates], of nothing."""
        fits = noise.trust * self.nats + noise.bias[self.words]
        nothing = noise.trust * self.nothing + noise.silence
        fit_of_own = np.where(self.own, fits, -np.inf).max(1, initial=-np.inf)
        word_is_right = np.log1p(-noise.substituted - noise.superfluous)
        gap_is_right = np.log1p(-noise.missing)
        right = np.where(
            self.gap,
            gap_is_right + nothing,
            word_is_right + fit_of_own,
        )
        prior = np.log(self._share_of_errors(noise))
        another = prior[:, None] + fits + self.log_shares
        superfluous = np.log(noise.superfluous) + nothing
        return (
            right,
            np.where(self.own, -np.inf, another),
            np.where(self.gap, -np.inf, superfluous),
        )

    def _raw(self, noise: WordNoise) -> Posteriors:
        """Posteriors by the network alone."""
        right, another, nothing = self._log_weights(noise)
        total = logsumexp(np.column_stack([right, another, nothing]), axis=1)
        return Posteriors(np.exp(another - total[:, None]), np.exp(nothing - total))

    def _improved(self, noise: WordNoise) -> WordNoise:
        """One round of expectation maximisation."""
        found = self._raw(noise)
        is_another = found.another.sum(1)
        is_word = ~self.gap
        size = len(self.vocabulary.words)
        right = 1 - is_another - found.nothing
        said = np.bincount(self.words[is_word].ravel(), found.another[is_word].ravel(), size)
        said += np.bincount(self.written[is_word], right[is_word], size)
        written = np.bincount(self.written[is_word], minlength=size)
        step = np.log((written + _NO_WORD) / (said + _NO_WORD))
        empty = np.exp(self._log_empty(noise))
        quieter = np.log(self.gap.sum() / max(float(empty.sum()), 1.0))
        return replace(
            noise,
            substituted=_share(is_another[is_word]),
            superfluous=_share(found.nothing[is_word]),
            missing=_share(is_another[self.gap]),
            bias=np.clip(noise.bias + step, -_MOST_BIAS, _MOST_BIAS),
            silence=float(np.clip(noise.silence + quieter, -_MOST_SILENCE, _MOST_SILENCE)),
        )

    def _log_words(self) -> tuple[float, float]:
        """ln of the share of slots that hold a word, and of those that hold nothing."""
        words = float((~self.gap).mean())
        return float(np.log(words)), float(np.log1p(-words))

    def _log_empty(self, noise: WordNoise) -> Floats:
        """ln of the posterior that a slot is empty, whatever is written in it [slots]."""
        log_word, log_gap = self._log_words()
        fits = noise.trust * self.nats + noise.bias[self.words] + self.log_shares
        word = log_word + logsumexp(fits, axis=1)
        nothing = log_gap + noise.trust * self.nothing + noise.silence
        return nothing - np.logaddexp(word, nothing)

    def _likelihood(self, noise: WordNoise) -> float:
        """Of what is written in all slots, among all that could be."""
        right, another, nothing = self._log_weights(noise)
        written = logsumexp(np.column_stack([right, another, nothing]), axis=1)
        log_word, log_gap = self._log_words()
        # What is written, against all that could be: by way of how likely nothing is.
        fit_of_nothing = noise.trust * self.nothing + noise.silence
        could_be = log_gap + fit_of_nothing - self._log_empty(noise)
        prior = np.where(self.gap, log_gap, log_word)
        return float((prior + written - could_be).sum())


def _belief(seen: NDArray[Any], expected: NDArray[Any]) -> Floats:
    """The share of what is seen that chance explains, at one deviation above its mean."""
    by_chance = expected + np.sqrt(expected) + _ONCE
    return np.minimum(by_chance / np.maximum(seen, by_chance), 1.0)


def _share(posteriors: Floats) -> float:
    """Mean posterior, drawn a little towards few errors; never 0 nor more than nearly half."""
    share = (float(posteriors.sum()) + _FEW) / (len(posteriors) + _OF_MANY)
    return min(max(share, 1e-5), 0.49)
