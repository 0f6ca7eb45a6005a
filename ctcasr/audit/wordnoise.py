"""How transcripts go wrong, word by word: a model of few numbers, fitted to the corpus itself.

A word is right, or drawn at random from the words of the corpus in place of another one
(substituted) or of nothing (superfluous); a word that was said is missing with some probability.
With q the shares of words and p(v) the posterior of a candidate by sound, over q(v), of a word slot

    right:        (1 - s - i) p(written)
    substituted:  s sum over other words v of q(v) p(v)
    superfluous:  i p(nothing)

and of a gap   nothing: (1 - m) p(nothing),   missing: m sum over words v of q(v) p(v).

A network mishears, and not everywhere alike: p is a mixture of what follows if its nats are trusted
little, more, and fully,

    p(v) = sum over trusts b of w(b) e^(b nats(v) + d(v)) / z(b),

with weights w that depend on how clearly the network hears the line, of which there are two kinds.
What is written where it mishears fits second or third best; what is written by mistake fits as
chance has it. That tells them apart. So does how far a line, once its wrong words are corrected
(`ctcasr.audit.correction`), falls short of what the network hears there by itself: the correction
of a wrong text fits as well, and where the network mishears no text does. Mistakes of transcripts
fall on all lines alike, so each class of lines, by how far they fall short, has its own shares of
the two kinds.

All shares are fitted by expectation maximisation; d, the words that the network likes too little
(and nothing), so that as much of each is believed to be said as is written; the least trust, by the
likelihood of what is written.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from scipy.special import logsumexp
from torch import Tensor, nn

from ctcasr.audit.slotarrays import Floats, SlotArrays
from ctcasr.audit.slots import SlotTable

# Least trusts. A network that is trusted less says of a word what its frequency says, which is the
# model of transcripts that are wrong: then nothing would be.
LEAST_TRUSTS = (0.9, 0.65, 0.2)
# Until a wrong word is corrected, its neighbours fit badly as well; they say nothing of trust.
BEFORE_CORRECTION = (0.65,)
_DECISIVE = 40.0  # nats of the whole corpus by which less trust must be likelier
_MOST_GAIN = 2.0  # nats that one line may say for it: a foreign one says nothing of the others
_CLASSES = 6  # of lines, by how far they fall short
_ROUNDS = 40
# Errors that are believed in before anything was seen, of so many slots: no share becomes 0.
_PRIOR_ERRORS = 0.1
_PRIOR_SLOTS = 40.0
_PRIOR_LISTENING = 0.5  # slots, or lines, of each kind
_SMALLEST_SHARE = 1e-5
_LARGEST_SHARE = 0.49  # more, and "wrong" would be the usual state of a word
_NEVER = 1e-30
_NO_PATH = -1e4  # nats of a candidate that the slot does not have
_MOST_BIAS = 6.0  # nats
_MOST_SILENCE = 20.0  # nats
_NO_WORD = 5.0  # times that a word is said before its bias is its own


@dataclass(frozen=True, eq=False)
class WordNoise:
    """Shares of wrong words, and how far the network is trusted."""

    bias: Tensor  # d [V] of the words
    substituted: float = 0.05
    superfluous: float = 0.02
    missing: float = 0.02
    silence: float = 0.0  # d of nothing
    word_share: float = 0.5  # of the slots, of those that hold a word
    trusts: tuple[float, ...] = (1.0, 1.0, 1.0, 1.0)  # B of them
    # Nats that part the classes of lines by how far they fall short [Q - 1]; shares of all lines
    # that are of a class and heard so clearly [Q, Z], and of their slots by trust [Z, B].
    shortfalls: Tensor = field(default_factory=lambda: torch.zeros(0))
    clarities: Tensor = field(default_factory=lambda: torch.tensor([[0.5, 0.5]]))
    weights: Tensor = field(default_factory=lambda: _first_weights())

    @property
    def weights_of_any(self) -> Tensor:
        """Shares [B] of the slots of all lines by trust."""
        return self.clarities.sum(0) @ self.weights

    @property
    def trust(self) -> float:
        """Mean trust in the network's nats."""
        return float(self.weights_of_any @ torch.tensor(self.trusts))

    def fits(self, slot: SlotTable, shares: Floats, weights: Floats) -> tuple[float, Floats]:
        """ln p of nothing in a slot, and of each candidate, of these shares q.

        The slot is of a line whose slots have these weights w [B].
        """
        trusts = np.array(self.trusts)[:, None]
        nats = np.array([slot.nothing, *slot.nats])
        bias = np.array([self.silence, *self.bias[slot.words].tolist()])
        prior = np.array([1 - self.word_share, *(self.word_share * shares)])
        exponents = trusts * nats + bias
        log_all = logsumexp(exponents, axis=1, b=prior, keepdims=True)
        log_fits = logsumexp(exponents - log_all, axis=0, b=weights[:, None])
        return float(log_fits[0]), log_fits[1:]


def _ladder(least: float) -> tuple[float, ...]:
    """Trusts from the least to full trust, in equal ratios.

    Example:
        >>> [round(trust, 2) for trust in _ladder(0.2)]
        [0.2, 0.34, 0.58, 1.0]
    """
    return tuple(np.geomspace(least, 1.0, num=4).tolist())


def _first_weights() -> Tensor:
    """Lines that are heard well, and very well: what does not fit is first taken for wrong."""
    weights = torch.tensor([[0.02, 0.08, 0.3, 0.6], [0.005, 0.02, 0.1, 0.875]])
    return weights / weights.sum(1, keepdim=True)


@dataclass(frozen=True, eq=False)
class Posteriors:
    """What is believed of each slot, and how its line is heard."""

    another: Floats  # [S, K] that the candidate was said, and not what is written
    nothing: Floats  # [S] that nothing was said where a word is written
    weights: Floats  # [lines, B] of the slots of each line, by trust


@dataclass(frozen=True, eq=False)
class _AtTrust:
    """What follows from one trust."""

    log_likelihood: Tensor  # [S] of what is written
    another: Tensor  # [S, K]
    nothing: Tensor  # [S]
    empty: Tensor  # [S] posterior that the slot is empty, whatever is written


@dataclass(frozen=True, eq=False)
class _Believed:
    """The mixture of all trusts."""

    another: Tensor  # [S, K]
    nothing: Tensor  # [S]
    empty: Tensor  # [S]
    clarities: Tensor  # [Q, Z, lines] posteriors, 0 but in the line's class
    weights: Tensor  # [Z, B] slots
    log_likelihoods: Tensor  # [lines] of what is written


class WordModel:
    """The model on the slots of a corpus; arrays of single precision."""

    def __init__(self, arrays: SlotArrays) -> None:
        self.word_share = arrays.word_share
        self.line_count = arrays.line_count
        self._shortfall = _single(arrays.shortfall)  # [lines]
        self._nats = _single(np.maximum(arrays.nats, _NO_PATH))
        self._shares = _single(arrays.shares)
        self._shares_of_others = _single(arrays.shares * arrays.other)
        self._nothing = _single(arrays.nothing)
        self._own = _single(arrays.own)
        self._gap = torch.from_numpy(arrays.gap)
        self._words = torch.from_numpy(arrays.words)
        self._line = torch.from_numpy(arrays.line)
        self._written = torch.from_numpy(arrays.written)
        vocabulary = len(arrays.vocabulary.words)
        counts = np.bincount(arrays.written[~arrays.gap], minlength=vocabulary)
        self._counts = _single(counts)  # [V] how often each word is written

    def fit(self, least_trusts: Sequence[float] = LEAST_TRUSTS) -> WordNoise:
        """The shares, biases and trusts under which the written texts are likely.

        Of few slots, or of clear ones, errors are explained by less trust as well as by wrong
        words: the network is trusted as far as nothing decisive speaks against it.
        """
        no_bias = torch.zeros(len(self._counts))
        best = WordNoise(no_bias, word_share=self.word_share)
        if not len(self._nothing):
            return best
        best_likelihoods = torch.full((self.line_count,), -math.inf)
        parts = torch.arange(1, _CLASSES) / _CLASSES
        for least in least_trusts:
            noise = WordNoise(
                no_bias,
                word_share=self.word_share,
                trusts=_ladder(least),
                shortfalls=torch.quantile(self._shortfall, parts),
                clarities=torch.full((_CLASSES, 2), 0.5 / _CLASSES),
            )
            for _ in range(_ROUNDS):
                noise = self._improved(noise, self._believed(noise))
            likelihoods = self._believed(noise).log_likelihoods
            gains = (likelihoods - best_likelihoods).clamp(-_MOST_GAIN, _MOST_GAIN)
            if float(gains.sum()) > _DECISIVE or least == least_trusts[0]:
                best = noise
                best_likelihoods = likelihoods
        return best

    def posteriors(self, noise: WordNoise) -> Posteriors:
        """What is believed of each slot."""
        believed = self._believed(noise)
        weights = believed.clarities.sum(0).T @ noise.weights
        return Posteriors(
            another=believed.another.double().numpy(),
            nothing=believed.nothing.double().numpy(),
            weights=weights.double().numpy(),
        )

    def _at(self, trust: float, noise: WordNoise) -> _AtTrust:
        """The three lines of the module's model of every slot, at one trust."""
        exponents = trust * self._nats + noise.bias[self._words]
        of_nothing = trust * self._nothing + noise.silence
        highest = torch.maximum(_highest(exponents), of_nothing)
        fits = torch.exp(exponents - highest[:, None])
        fit_of_nothing = torch.exp(of_nothing - highest)
        empty = (1 - self.word_share) * fit_of_nothing
        log_all = torch.log(self.word_share * (fits * self._shares).sum(1) + empty)

        right_word = (1 - noise.substituted - noise.superfluous) * (fits * self._own).sum(1)
        right_gap = (1 - noise.missing) * fit_of_nothing
        right = torch.where(self._gap, right_gap, right_word)
        others = fits * self._shares_of_others
        errors = torch.full_like(right, noise.substituted).masked_fill(self._gap, noise.missing)
        another = others * errors[:, None]
        nothing = (noise.superfluous * fit_of_nothing).masked_fill(self._gap, 0.0)
        total = (right + another.sum(1) + nothing).clamp(min=_NEVER)
        return _AtTrust(
            log_likelihood=torch.log(total) - log_all,
            another=another / total[:, None],
            nothing=nothing / total,
            empty=empty / torch.exp(log_all),
        )

    def _believed(self, noise: WordNoise) -> _Believed:
        """The expectation: how each line and each slot is heard, and what follows."""
        at_trusts = [self._at(trust, noise) for trust in noise.trusts]
        log_slots = torch.stack([one.log_likelihood for one in at_trusts])  # [trusts, S]
        log_weighted = noise.weights.log()[:, :, None] + log_slots  # [Z, trusts, S]
        log_of_slot = torch.logsumexp(log_weighted, dim=1)  # [Z, S]
        line_class = torch.bucketize(self._shortfall, noise.shortfalls)
        log_of_line = self._log_of_lines(noise, line_class, log_of_slot)
        log_likelihoods = torch.logsumexp(log_of_line, dim=0)
        clarity = torch.softmax(log_of_line, dim=0)
        trusted = torch.exp(log_weighted - log_of_slot[:, None])
        trusted *= clarity[:, self._line][:, None]  # [Z, trusts, S]
        by_trust = trusted.sum(0)
        another = torch.zeros_like(self._nats)
        nothing = torch.zeros_like(self._nothing)
        empty = torch.zeros_like(self._nothing)
        for share, one in zip(by_trust, at_trusts, strict=True):
            another += share[:, None] * one.another
            nothing += share * one.nothing
            empty += share * one.empty
        is_of_class = nn.functional.one_hot(line_class, len(noise.clarities)).T
        clarities = is_of_class[:, None] * clarity
        return _Believed(another, nothing, empty, clarities, trusted.sum(2), log_likelihoods)

    def _log_of_lines(self, noise: WordNoise, line_class: Tensor, log_of_slot: Tensor) -> Tensor:
        """ln p [Z, lines] of what is written and that a line of its class is heard so clearly."""
        shares_in_class = noise.clarities / noise.clarities.sum(1, keepdim=True)
        log_shares = shares_in_class.log()[line_class].T
        return log_shares.index_add(1, self._line, log_of_slot)

    def _improved(self, noise: WordNoise, believed: _Believed) -> WordNoise:
        """The maximisation; biases are no likeliest ones."""
        is_word = ~self._gap
        another = believed.another.sum(1)
        right = 1 - another - believed.nothing

        # As much of each word should be believed to be said as is written.
        said = torch.zeros_like(self._counts)
        said.index_add_(0, self._words[is_word].flatten(), believed.another[is_word].flatten())
        said.index_add_(0, self._written[is_word], right[is_word])
        louder = torch.log((self._counts + _NO_WORD) / (said + _NO_WORD))

        # And as many slots should be believed to be empty as are gaps.
        gaps = float(self._gap.sum())
        quieter = float(np.log(gaps / max(float(believed.empty.sum()), 1.0)))
        slots_by_trust = believed.weights + _PRIOR_LISTENING
        lines_by_clarity = believed.clarities.sum(2) + _PRIOR_LISTENING
        return replace(
            noise,
            substituted=_share(another[is_word]),
            superfluous=_share(believed.nothing[is_word]),
            missing=_share(another[self._gap]),
            bias=(noise.bias + louder).clamp(-_MOST_BIAS, _MOST_BIAS),
            silence=min(max(noise.silence + quieter, -_MOST_SILENCE), _MOST_SILENCE),
            clarities=lines_by_clarity / lines_by_clarity.sum(),
            weights=slots_by_trust / slots_by_trust.sum(1, keepdim=True),
        )


def _single(array: np.ndarray) -> Tensor:
    return torch.from_numpy(array.astype(np.float32))


def _highest(exponents: Tensor) -> Tensor:
    """Of each slot [S]; -inf where there are no candidates."""
    lowest = exponents.new_full((len(exponents), 1), -torch.inf)
    return torch.cat([exponents, lowest], dim=1).amax(1)


def _share(posteriors: Tensor) -> float:
    """Mean posterior, drawn a little towards few errors; never 0 nor more than nearly half."""
    errors = float(posteriors.sum()) + _PRIOR_ERRORS
    slots = len(posteriors) + _PRIOR_SLOTS
    share = errors / slots
    return min(max(share, _SMALLEST_SHARE), _LARGEST_SHARE)
