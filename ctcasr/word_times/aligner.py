"""When words are said: a small model of sound, learnt beside the recogniser, aligns its text.

CTC emits a symbol somewhere near its sound, once; where words begin and end it does not say. The
model is a hidden Markov model of the classical kind, whose states have one Gaussian each: letters,
and states of their own for words that are often said.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from torch import Tensor

from ctcasr.decoding.hypothesis import Hypothesis
from ctcasr.word_times.features import HOP_S, AlignerFeatures, Array

NO_ENTRY = -1  # of a state that is entered from the one before it alone
ANYTHING = ""  # the unit of a letter that was never heard
SILENCE_COLUMN = 0  # of scores; unit u has column u + 1
MOST_CELLS = 300_000_000  # bytes, frames times states: some minutes that are heard as one
_SILENCE_STATES = 3  # frames that a silence between words lasts at least
_LEAST_STATES = 4  # of a word of its own
_STATES_A_LETTER = 1.5


def unit_of(word: str, state: int) -> str:
    """The name of one state of a word that has its own."""
    return f"{word} {state}"


def state_count(word: str) -> int:
    """States of a word that has its own.

    Example:
        >>> state_count("a"), state_count("seven")
        (4, 8)
    """
    return max(_LEAST_STATES, round(_STATES_A_LETTER * len(word)))


def letter_of(word: str, state: int) -> str:
    """The letter that a state of a word stands for.

    Example:
        >>> "".join(letter_of("two", state) for state in range(state_count("two")))
        'ttwo'
    """
    return word[state * len(word) // state_count(word)]


@dataclass(frozen=True)
class Gaussians:
    """Means and variances [K, d] of Gaussians with diagonal covariances."""

    means: Array
    variances: Array

    def log_likelihoods(self, frames: Array) -> Array:
        """Nats [T, K] of frames [T, d], but for a constant."""
        precisions = 1.0 / self.variances
        squares = frames**2 @ precisions.T
        products = frames @ (self.means * precisions).T
        constants = (self.means**2 * precisions + np.log(self.variances)).sum(1)
        scores: Array = products - 0.5 * (squares + constants)
        return scores


@dataclass(frozen=True)
class Sentence:
    """The states [S] of a sentence, silence between its words and around them."""

    columns: Array  # which score a state takes
    entries: Array  # from which other state it is entered, or NO_ENTRY
    spans: tuple[tuple[int, int], ...]  # of each word its first state and one past its last

    @staticmethod
    def of(word_columns: Sequence[Sequence[int]]) -> Sentence:
        """Of words that have these columns.

        Example:
            >>> sentence = Sentence.of([[5, 6], [7]])
            >>> sentence.columns.tolist()
            [0, 0, 0, 5, 6, 0, 0, 0, 7, 0, 0, 0]
            >>> sentence.spans, sentence.entries[8].item()
            (((3, 5), (8, 9)), 4)
        """
        silence = [SILENCE_COLUMN] * _SILENCE_STATES
        columns = list(silence)
        entries = [NO_ENTRY] * _SILENCE_STATES
        spans: list[tuple[int, int]] = []
        for own in word_columns:
            first = len(columns)
            columns += [*own, *silence]
            entries += [NO_ENTRY] * (len(own) + _SILENCE_STATES)
            if spans:
                entries[first] = first - _SILENCE_STATES - 1
            spans.append((first, first + len(own)))
        return Sentence(np.array(columns), np.array(entries), tuple(spans))

    def path(self, scores: Array) -> Array | None:
        """The best path, states [T], through scores [T, columns].

        None where frames are too few for the states, or both too many for memory.
        """
        states, nats = self._best_path(scores)
        return states if nats > -math.inf else None

    def nats(self, scores: Array) -> float:
        """Nats of the best path, of silence where there are no words; -inf where there is none."""
        if not self.spans:
            return float(scores[:, SILENCE_COLUMN].sum())
        _, nats = self._best_path(scores)
        return nats

    def _best_path(self, scores: Array) -> tuple[Array, float]:
        from ctcasr.word_times.viterbi import best_path  # numba takes a while to load

        states = np.zeros(len(scores), np.int64)
        if not self.spans or len(scores) == 0 or len(scores) * len(self.columns) > MOST_CELLS:
            return states, -math.inf
        first = self.spans[0][0]
        last = self.spans[-1][1] - 1
        rows = np.ascontiguousarray(scores)
        nats = best_path(rows, self.columns, self.entries, first, last, states)
        return states, float(nats)


@dataclass(frozen=True)
class Hearing:
    """Nats [T, 1 + units] of silence and of each unit in a recording, and how long it is."""

    scores: Array
    length_s: float


@dataclass(frozen=True)
class Alignment:
    """Where the words of a recording are said."""

    times_s: list[tuple[float, float]]  # start and end of each word
    columns: Array  # [T] what is said in each frame of HOP_S: SILENCE_COLUMN, or 1 + a unit


@dataclass(frozen=True)
class WordAligner:
    """Puts words where they are said in a recording."""

    rate_hz: int
    units: tuple[str, ...]  # letters and states of words (`unit_of`); ANYTHING among them
    projection: Array  # [D, d] of spliced cepstra
    offset: Array  # [d], taken off behind it
    sounds: Gaussians  # of the units
    silences: Gaussians  # kinds of silence
    silence_shares: Array  # how often each of them is heard

    def times(self, samples: Tensor, words: Sequence[str]) -> list[tuple[float, float]] | None:
        """Start and end in seconds of each word in samples [N]; None where they find no room."""
        alignment = self.align(samples, words)
        return None if alignment is None else alignment.times_s

    def align(self, samples: Tensor, words: Sequence[str]) -> Alignment | None:
        """Where words are said in samples [N]; None where they find no room."""
        return self._align_in(self.hear(samples), words)

    def timed(self, samples: Tensor, hypothesis: Hypothesis) -> Hypothesis:
        """A hypothesis, and its rivals, with the words where they are said in samples [N].

        Words that find no room stay where they are.
        """
        if not hypothesis.words and not hypothesis.others:
            return hypothesis
        return self._timed(self.hear(samples), hypothesis)

    def hear(self, samples: Tensor) -> Hearing:
        """The scores of samples [N]."""
        if samples.shape[0] == 0:
            return Hearing(np.zeros((0, self.states)), 0.0)
        frames = self.project(self.features(samples).spliced)
        return Hearing(self.scores(frames), samples.shape[0] / self.rate_hz)

    def _align_in(self, hearing: Hearing, words: Sequence[str]) -> Alignment | None:
        sentence = self.sentence(words)
        states = sentence.path(hearing.scores)
        if states is None:
            return None
        times = []
        for first, end in sentence.spans:
            frames = np.flatnonzero((states >= first) & (states < end))
            # A frame stands for the sound around its middle.
            start_s = max(0.0, (int(frames[0]) - 0.5) * HOP_S)
            end_s = min(hearing.length_s, (int(frames[-1]) + 0.5) * HOP_S)
            times.append((start_s, max(start_s, end_s)))
        return Alignment(times, sentence.columns[states])

    def _timed(self, hearing: Hearing, hypothesis: Hypothesis) -> Hypothesis:
        others = tuple(self._timed(hearing, other) for other in hypothesis.others)
        words = hypothesis.words
        alignment = self._align_in(hearing, [word.text for word in words])
        if alignment is not None:
            words = tuple(
                replace(word, start_s=start_s, end_s=end_s)
                for word, (start_s, end_s) in zip(words, alignment.times_s, strict=True)
            )
        return replace(hypothesis, words=words, others=others)

    @property
    def states(self) -> int:
        """How many things a frame may be: silence, or one of the units."""
        return 1 + len(self.units)

    @cached_property
    def features(self) -> AlignerFeatures:
        """What it hears of samples."""
        return AlignerFeatures(self.rate_hz)

    @cached_property
    def _number_of(self) -> Mapping[str, int]:
        return {unit: number for number, unit in enumerate(self.units)}

    def sentence(self, words: Sequence[str]) -> Sentence:
        """The states of words one after the other."""
        return Sentence.of([self.columns_of(word) for word in words])

    def columns_of(self, word: str) -> list[int]:
        """A word's own states, else its letters."""
        number_of = self._number_of
        names = list(word)
        if unit_of(word, 0) in number_of:
            names = [unit_of(word, state) for state in range(state_count(word))]
        return [number_of.get(name, number_of[ANYTHING]) + 1 for name in names]

    @property
    def anything(self) -> int:
        """The column of any sound of speech."""
        return self._number_of[ANYTHING] + 1

    def project(self, spliced: Array) -> Array:
        """Frames [T, d] of spliced cepstra [T, D]."""
        frames: Array = spliced @ self.projection - self.offset
        return frames

    def scores(self, frames: Array) -> Array:
        """Nats [T, 1 + units] of frames [T, d]: of silence, and of each unit."""
        kinds = self.silences.log_likelihoods(frames) + np.log(self.silence_shares)
        silence = np.logaddexp.reduce(kinds, axis=1)
        return np.concatenate([silence[:, None], self.sounds.log_likelihoods(frames)], axis=1)

    def to_state(self) -> dict[str, Any]:
        """Plain data (numbers, str, lists, bytes) from which `from_state` makes the same."""
        return {
            "rate_hz": self.rate_hz,
            "units": list(self.units),
            "projection": _packed(self.projection),
            "offset": _packed(self.offset),
            "sound_means": _packed(self.sounds.means),
            "sound_variances": _packed(self.sounds.variances),
            "silence_means": _packed(self.silences.means),
            "silence_variances": _packed(self.silences.variances),
            "silence_shares": _packed(self.silence_shares),
        }

    @staticmethod
    def from_state(state: Mapping[str, Any]) -> WordAligner:
        """What `to_state` gave."""
        return WordAligner(
            rate_hz=state["rate_hz"],
            units=tuple(state["units"]),
            projection=_unpacked(state["projection"]),
            offset=_unpacked(state["offset"]),
            sounds=Gaussians(_unpacked(state["sound_means"]), _unpacked(state["sound_variances"])),
            silences=Gaussians(
                _unpacked(state["silence_means"]), _unpacked(state["silence_variances"])
            ),
            silence_shares=_unpacked(state["silence_shares"]),
        )


def _packed(array: Array) -> dict[str, Any]:
    return {"shape": list(array.shape), "float32": array.astype("<f4").tobytes()}


def _unpacked(state: Mapping[str, Any]) -> Array:
    array = np.frombuffer(state["float32"], "<f4").reshape(state["shape"])
    return array.astype(np.float64)
