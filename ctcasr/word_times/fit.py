"""How the aligner of words learns from recordings and their texts, without any times.

Each text begins as evenly spread over what is loud; then by turns the states are fitted to their
frames, and the frames put anew into the best path of states (Viterbi training). From the fifth
round on frames are seen through a linear discriminant analysis of the states (Haeb-Umbach and Ney
1992). States of rare words lean on their letters, and letters on speech as a whole (maximum a
posteriori: Gauvain and Lee 1994). Silence has several Gaussians, or it would lose frames to words.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from torch import Tensor

from ctcasr.batch import Utterance
from ctcasr.data import AudioError, read_audio
from ctcasr.text import Tokenizer
from ctcasr.word_times.aligner import (
    ANYTHING,
    SILENCE_COLUMN,
    Gaussians,
    Sentence,
    WordAligner,
    state_count,
    unit_of,
)
from ctcasr.word_times.features import AlignerFeatures, Array, Heard, slopes
from ctcasr.word_times.gaussians import discriminants, silence_of, sounds_of

MOST_S = 2400.0  # seconds of sound that are learnt from; more say little that is new
OFTEN = 20  # times that a word is said which gets states of its own
_MOST_WORDS = 500  # with states of their own
ROUNDS = 10
_GUARDED = 4  # rounds in which words stay near what is loud, and no discriminants are known
_MARGIN = 10  # frames around it
_OUTSIDE = -30.0  # nats of words beyond that


@dataclass(frozen=True)
class Spoken:
    """One utterance: what is heard of it, and its words."""

    heard: Heard
    words: tuple[str, ...]


After = Callable[[], None]


def unheeded() -> None:
    """Where nobody asks how far it is."""


def learn_aligner(
    utterances: Sequence[Utterance],
    tokenizer: Tokenizer,
    rate_hz: int,
    after_each: After = unheeded,
) -> WordAligner | None:
    """An aligner from recordings and texts; None where nothing can be learnt from them.

    What cannot be read, or has no text, is left out. Of many hours some, evenly chosen, are heard.
    `after_each` is called whenever one was heard, `hearings` times at most.
    """
    spoken = []
    for _, one in spoken_in(_chosen(utterances), tokenizer, rate_hz):
        spoken.append(one)
        after_each()
    return fit_aligner(spoken, rate_hz, after_each)


def hearings(utterances: Sequence[Utterance]) -> int:
    """How often an utterance is heard until an aligner has learnt: once, and in each round."""
    return len(_chosen(utterances)) * (1 + ROUNDS)


def _chosen(utterances: Sequence[Utterance]) -> Sequence[Utterance]:
    """Those that are learnt from."""
    return utterances[:: stride_to(MOST_S, utterances)]


def spoken_in(
    utterances: Sequence[Utterance], tokenizer: Tokenizer, rate_hz: int
) -> Iterator[tuple[int, Spoken]]:
    """What is heard of utterances, each with its number; without what `read_words` leaves out."""
    features = AlignerFeatures(rate_hz)
    for number, utterance in enumerate(utterances):
        clip = read_words(utterance, tokenizer, rate_hz)
        if clip is not None:
            samples, words = clip
            yield number, Spoken(features(samples), words)


def stride_to(most_s: float, utterances: Sequence[Utterance]) -> int:
    """The n of which every n-th utterance makes about `most_s` seconds, or all of them less."""
    total_s = sum(utterance.duration or 0.0 for utterance in utterances)
    return max(1, round(total_s / most_s))


def read_words(
    utterance: Utterance, tokenizer: Tokenizer, rate_hz: int
) -> tuple[Tensor, tuple[str, ...]] | None:
    """Samples [N] and words of an utterance; None where it cannot be read, or one is missing."""
    words = tokenizer.reference(utterance.text or "").text.split()
    try:
        samples = read_audio(utterance, rate_hz)
    except AudioError:
        return None
    if not words or not samples.shape[0]:
        return None
    return samples, tuple(words)


def spoken_of(clips: Iterable[tuple[Tensor, Sequence[str]]], rate_hz: int) -> list[Spoken]:
    """What is heard of samples [N] with their words."""
    features = AlignerFeatures(rate_hz)
    return [Spoken(features(samples), tuple(words)) for samples, words in clips]


def fit_aligner(
    spoken: Sequence[Spoken], rate_hz: int, after_each: After = unheeded
) -> WordAligner | None:
    """An aligner of utterances; None where none of them has room for its words."""
    fitting = Fitting(spoken, rate_hz)
    if not fitting.usable:
        return None
    fitting.believe(ROUNDS, after_each)
    fitting.refit(keep_projection=True)
    return fitting.aligner


class Fitting:
    """An aligner while it learns: its states, and in which of them each frame is.

    `usable` are the utterances that have room for their words.
    """

    def __init__(self, spoken: Sequence[Spoken], rate_hz: int) -> None:
        self.rate_hz = rate_hz
        self.aligner = _beginning(spoken, units_of(spoken), rate_hz)
        self.usable: list[Spoken] = []
        self.columns: list[Array] = []  # of each usable utterance, what each frame is [T]
        for utterance in spoken:
            sentence = self.aligner.sentence(utterance.words)
            spread = _evenly_spread(sentence, utterance.heard)
            if spread is not None:
                self.usable.append(utterance)
                self.columns.append(spread)
        self._projection = slopes()
        self._round = 0

    @cached_property
    def _spliced(self) -> Array:
        """All frames [T, D]."""
        return np.concatenate([utterance.heard.spliced for utterance in self.usable])

    @property
    def _guarded(self) -> bool:
        return self._round <= _GUARDED

    def believe(self, rounds: int, after_each: After = unheeded) -> None:
        """By turns fit the states, and put the frames into the best path of what is written."""
        for _ in range(rounds):
            self.refit()
            self.realign(after_each)

    def refit(self, *, keep_projection: bool = False) -> None:
        """Fit the states to the frames that are in them."""
        self._round += 1
        columns = np.concatenate(self.columns)
        units = self.aligner.units
        if not self._guarded and not keep_projection:
            self._projection = discriminants(self._spliced, columns, len(units) + 1)
        self.aligner = _fitted(self._spliced, columns, self._projection, units, self.rate_hz)

    def realign(self, after_each: After = unheeded) -> None:
        """Put the frames anew into the best path of what is written."""
        for place, utterance in enumerate(self.usable):
            found = _aligned(self.aligner, utterance, self._guarded)
            if found is not None:
                self.columns[place] = found
            after_each()


def units_of(spoken: Sequence[Spoken]) -> tuple[str, ...]:
    """ANYTHING, the letters, and the states of words that are said often or have one letter."""
    counts: Counter[str] = Counter()
    for utterance in spoken:
        counts.update(utterance.words)
    letters = sorted({letter for word in counts for letter in word})
    units = [ANYTHING, *letters]
    for word, count in counts.most_common(_MOST_WORDS):
        if count >= OFTEN or len(word) == 1:
            units += [unit_of(word, state) for state in range(state_count(word))]
    return tuple(units)


def _beginning(spoken: Sequence[Spoken], units: tuple[str, ...], rate_hz: int) -> WordAligner:
    """An aligner that knows its units and nothing of their sound."""
    projection = slopes()
    flat = np.zeros((1, projection.shape[1]))
    nothing = Gaussians(flat, np.ones_like(flat))
    return WordAligner(rate_hz, units, projection, flat[0], nothing, nothing, np.ones(1))


def _evenly_spread(sentence: Sentence, heard: Heard) -> Array | None:
    """The column of each frame [T], with words spread over the speech; None without room."""
    states = sentence.columns[sentence.columns != SILENCE_COLUMN]
    first, end = heard.speech
    if len(states) > len(heard.spliced):
        return None
    if end - first < len(states):
        first = 0
        end = len(heard.spliced)
    cuts = np.linspace(first, end, len(states) + 1).round().astype(int)
    columns = np.full(len(heard.spliced), SILENCE_COLUMN)
    columns[first:end] = np.repeat(states, np.diff(cuts))
    return columns


def _aligned(aligner: WordAligner, utterance: Spoken, guarded: bool) -> Array | None:
    """The column of each frame [T] on the best path; None without room."""
    scores = aligner.scores(aligner.project(utterance.heard.spliced))
    if guarded:
        first, end = utterance.heard.speech
        scores[: max(0, first - _MARGIN), SILENCE_COLUMN + 1 :] += _OUTSIDE
        scores[end + _MARGIN :, SILENCE_COLUMN + 1 :] += _OUTSIDE
    sentence = aligner.sentence(utterance.words)
    states = sentence.path(scores)
    return None if states is None else sentence.columns[states]


def _fitted(
    spliced: Array, columns: Array, projection: Array, units: tuple[str, ...], rate_hz: int
) -> WordAligner:
    """The aligner whose Gaussians fit frames [T, D] with these columns [T]."""
    frames = (spliced @ projection).astype(float)
    spread = frames.std(0) + 1e-12
    scaled = projection / spread
    offset = frames.mean(0) / spread
    frames = frames / spread - offset
    silent = columns == SILENCE_COLUMN
    silences, shares = silence_of(frames[silent])
    sounds = sounds_of(frames[~silent], columns[~silent] - 1, units)
    return WordAligner(rate_hz, units, scaled, offset, sounds, silences, shares)
