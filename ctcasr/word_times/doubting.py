"""Which words were said, where those that are written may be others: texts are doubted.

The word models of the aligner are learnt from texts of which many words may be wrong. First they
believe what is written. From there on every word of a text is a slot, which may hold what is
written (with the share of words that are right as its probability), any other word that is often
written, or nothing; a gap may hold a word that is missing, or a noise. The best path through the
slots says what was said, and from that the models learn anew: Viterbi training, in which
transcripts are a noisy channel.

How much a nat of sound is worth beside what is written, and how many words are right, are those
under which the written words are likeliest: frames follow each other closely, and sums of their
nats say too much. No network is asked; half an hour of speech takes half a minute.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain

import numpy as np
from rapidfuzz.distance import Levenshtein

from ctcasr.batch import Utterance
from ctcasr.text import Tokenizer
from ctcasr.word_times.aligner import WordAligner, unit_of
from ctcasr.word_times.features import Array, Heard
from ctcasr.word_times.fit import MOST_S, OFTEN, Fitting, Spoken, spoken_in, stride_to
from ctcasr.word_times.slots import NEVER, Lexicon, SlotPath, Slots

BELIEVING = 5  # rounds in which what is written is said
DOUBTING = 4  # and in which it may not be
MOST_WORDS = 200  # that are tried in every slot
LEAST_KNOWN = 0.5  # share of what is written that these are; the others are noise to their models
_MOST_RIGHT = 0.998
_LEAST_WRONG = 1e-6
_TRUSTS = np.geomspace(0.01, 0.2, 14)
_CAUTION = 0.7  # of the likeliest trust: models fit the texts that they were learnt from too well
_FEWEST_SUPERFLUOUS = 0.001
_MOST_SUPERFLUOUS = 0.1
_MISSING = 0.002  # of the gaps hold a word; more, and breath becomes words
_NOISE = 0.01  # of the gaps hold what is neither silence nor a word: breath, a click
_ROUNDS = 30  # of expectation maximisation


@dataclass(frozen=True)
class Doubts:
    """Models of words, and how far they are believed against what is written.

    Words that are seldom written have no models of their own: they are taken as they stand.
    """

    aligner: WordAligner
    vocabulary: tuple[str, ...]  # V words that are often written, the most frequent first
    shares: Array  # [V] of each among them
    right: float = 0.5  # share of the written words that are; chance draws the others, of all
    superfluous: float = 0.02  # share of them for which nothing is said
    trust: float = 0.05  # nats of a text that a nat of sound is worth

    @staticmethod
    def of(aligner: WordAligner, spoken: Sequence[Spoken]) -> Doubts:
        """The first ones, by models that have not doubted yet."""
        counts = Counter(word for utterance in spoken for word in utterance.words)
        units = set(aligner.units)
        often = [word for word, _ in counts.most_common() if unit_of(word, 0) in units]
        vocabulary = often[:MOST_WORDS]
        known = np.array([counts[word] for word in vocabulary], dtype=float)
        return Doubts(aligner, tuple(vocabulary), known / max(known.sum(), 1.0))

    @cached_property
    def number_of(self) -> dict[str, int]:
        """The number of each word that is doubted."""
        return {word: number for number, word in enumerate(self.vocabulary)}

    def known(self, spoken: Sequence[Spoken]) -> float:
        """Share of the written words whose models have heard them often enough to doubt any."""
        counts = Counter(word for utterance in spoken for word in utterance.words)
        often = sum(counts[word] for word in self.vocabulary if counts[word] >= OFTEN)
        return often / max(counts.total(), 1)

    def scores(self, heard: Heard) -> Array:
        """Nats [T, columns] of what is heard, as far as they are trusted."""
        frames = self.aligner.project(heard.spliced)
        return np.ascontiguousarray(self.trust * self.aligner.scores(frames))

    def said(self, heard: Heard, words: Sequence[str]) -> tuple[str, ...]:
        """The words that are believed to be said where these are written."""
        path = self.slots(words).path(self.scores(heard))
        if path is None:
            return tuple(words)
        return tuple(word for word in path.words if word is not None)

    def slots(self, words: Sequence[str]) -> Slots:
        """A gap, then each word with a gap behind it: what each of them may hold."""
        rare = [word for word in dict.fromkeys(words) if word not in self.number_of]
        lexicon = Lexicon.of([*self.vocabulary, *rare], self.aligner)
        log_shares = np.full(len(lexicon.counts), NEVER)
        log_shares[: len(self.vocabulary)] = np.log(self.shares)
        slots = 2 * len(words) + 1
        nats = np.full((slots, len(log_shares)), NEVER)
        empty = np.full(slots, np.log1p(-_MISSING - _NOISE))
        nats[::2] = np.maximum(np.log(_MISSING) + log_shares, NEVER)
        nats[::2, -1] = np.log(_NOISE)
        log_wrong = np.log(max(1 - self.right - self.superfluous, _LEAST_WRONG))
        for place, word in enumerate(words):
            slot = 2 * place + 1
            number = lexicon.words.index(word)
            if word not in self.number_of:
                nats[slot, number] = 0.0
                empty[slot] = NEVER
                continue
            nats[slot] = np.maximum(log_wrong + log_shares, NEVER)
            nats[slot, number] = np.log(self.right)
            empty[slot] = np.log(self.superfluous)
        return Slots(lexicon, nats, empty)

    def refitted(self, aligner: WordAligner, told: _Told) -> Doubts:
        """The same by other models, with the shares under which the written words are likeliest."""
        if not told.written:
            return replace(self, aligner=aligner)
        superfluous = (told.empty + 1) / len(told.written)
        trust, right = likeliest(np.array(told.nats), np.array(told.written), self.shares)
        return replace(
            self,
            aligner=aligner,
            right=min(right, _MOST_RIGHT),
            superfluous=float(np.clip(superfluous, _FEWEST_SUPERFLUOUS, _MOST_SUPERFLUOUS)),
            trust=_CAUTION * trust,
        )


class _Told:
    """What one round tells of the words that are doubted."""

    def __init__(self) -> None:
        self.nats: list[Array] = []  # of sound, of every word in the place of a written one [V]
        self.written: list[int] = []  # its number
        self.empty = 0  # places in which nothing is said

    def add(self, doubts: Doubts, scores: Array, words: Sequence[str], path: SlotPath) -> None:
        """Take in the places of an utterance."""
        slots = doubts.slots(words)
        through, _ = slots.through(scores, path.junctions)
        of_sound = (through - slots.nats) / doubts.trust
        for place, word in enumerate(words):
            if word in doubts.number_of:
                slot = 2 * place + 1
                self.nats.append(of_sound[slot, : len(doubts.vocabulary)])
                self.written.append(doubts.number_of[word])
                self.empty += path.words[slot] is None


def learn_doubts(spoken: Sequence[Spoken], rate_hz: int) -> Doubts | None:
    """Models of words of utterances whose words may be wrong; None where nothing can be learnt.

    So it is of too little sound, and where most words are seldom written.
    """
    fitting = Fitting(spoken, rate_hz)
    if not fitting.usable:
        return None
    fitting.believe(BELIEVING)
    doubts = Doubts.of(fitting.aligner, fitting.usable)
    if doubts.known(fitting.usable) < LEAST_KNOWN:
        return None
    for _ in range(DOUBTING):
        fitting.refit()
        doubts = replace(doubts, aligner=fitting.aligner)
        told = _Told()
        for place, utterance in enumerate(fitting.usable):
            scores = doubts.scores(utterance.heard)
            path = doubts.slots(utterance.words).path(scores)
            if path is not None:
                fitting.columns[place] = path.columns
                told.add(doubts, scores, utterance.words, path)
        doubts = doubts.refitted(fitting.aligner, told)
    return doubts


def likeliest(nats: Array, written: Array, shares: Array) -> tuple[float, float]:
    """The trust in nats of sound, and the share of right words, that make written words likeliest.

    Nats [N, V] of every word in each of N places, the numbers of the words that are written [N],
    and the shares of all words [V]. A written word is the one that was said, or any.

    Example:
        >>> nats = np.array([[0.0, -200.0], [-200.0, 0.0], [0.0, -200.0], [-200.0, 0.0]])
        >>> trust, right = likeliest(nats, np.array([0, 1, 0, 0]), np.array([0.5, 0.5]))
        >>> round(right, 2)
        0.5
    """
    share_of_written = shares[written]
    best_likelihood = -np.inf
    best = (float(_TRUSTS[0]), 1.0)
    for trust in _TRUSTS:
        exponents = np.log(shares) + trust * nats
        weights = np.exp(exponents - exponents.max(1, keepdims=True))
        said = weights[np.arange(len(written)), written] / weights.sum(1)
        right = 0.5
        for _ in range(_ROUNDS):
            of_right = right * said
            right = float((of_right / (of_right + (1 - right) * share_of_written)).mean())
        likelihood = float(np.log(right * said + (1 - right) * share_of_written).sum())
        if likelihood > best_likelihood:
            best_likelihood = likelihood
            best = (float(trust), right)
    return best


@dataclass(frozen=True)
class Believed:
    """Utterances in the texts that models of their words believe."""

    utterances: tuple[Utterance, ...]
    words: int = 0  # that are written, in what can be read
    changed: int = 0  # of them, or put in
    doubted: tuple[int, ...] = ()  # numbers of the utterances in which other words are believed
    doubts: Doubts | None = None  # the models; None where nothing could be learnt

    def parted(self, first: int) -> tuple[list[Utterance], list[Utterance]]:
        """The first so many utterances, and the others."""
        return list(self.utterances[:first]), list(self.utterances[first:])

    def __str__(self) -> str:
        if not self.words:
            return "no text is doubted: hardly a word is said often"
        share = self.changed / self.words
        return f"{self.changed} of {self.words} words are believed to be others ({share:.1%})"


def believed_texts(
    utterances: Sequence[Utterance],
    tokenizer: Tokenizer,
    rate_hz: int,
    took_one: Callable[[], None] = lambda: None,
) -> Believed:
    """The utterances in the texts that models of their words believe, learnt from them.

    What cannot be read, or has no text, stays as it is; so does everything where most words are
    seldom written, as in free speech. Of many hours some, evenly chosen, are learnt from. Where
    nothing is believed to be said, the text stays, too, but it is doubted. `took_one` is called
    after each utterance.

    Example:
        >>> from ctcasr.text import Alphabet
        >>> nothing_to_read = [Utterance("a.wav", text="one")]
        >>> print(believed_texts(nothing_to_read, Alphabet(" eno"), 16000))
        no text is doubted: hardly a word is said often
    """
    numbers = range(len(utterances))
    stride = stride_to(MOST_S, utterances)
    learnt = dict(_numbered(numbers[::stride], utterances, tokenizer, rate_hz))
    doubts = learn_doubts(list(learnt.values()), rate_hz)
    believed = list(utterances)
    if doubts is None:
        return Believed(tuple(believed))
    words = 0
    changed = 0
    doubted = []
    others = [number for number in numbers if number % stride]
    not_learnt = _numbered(others, utterances, tokenizer, rate_hz)
    for number, one in chain(learnt.items(), not_learnt):
        said = doubts.said(one.heard, one.words)
        words += len(one.words)
        took_one()
        if said == one.words:
            continue
        doubted.append(number)
        changed += Levenshtein.distance(one.words, said)
        if said:
            believed[number] = utterances[number].with_text(" ".join(said))
    return Believed(tuple(believed), words, changed, tuple(sorted(doubted)), doubts)


def _numbered(
    numbers: Sequence[int], utterances: Sequence[Utterance], tokenizer: Tokenizer, rate_hz: int
) -> Iterator[tuple[int, Spoken]]:
    """What is heard of the utterances with these numbers, each with its number."""
    chosen = [utterances[number] for number in numbers]
    for place, one in spoken_in(chosen, tokenizer, rate_hz):
        yield numbers[place], one
