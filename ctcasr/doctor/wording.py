"""Findings in texts by comparison: words where no other has them, letters in no usual order."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ctcasr.batch import Utterance
from ctcasr.doctor.finding import Finding, lines_of
from ctcasr.doctor.listen import Sound
from ctcasr.doctor.texts import closed_grammar
from ctcasr.scoring.figures import plural

_LEAST_LINES = 20
_LEAST_USES = 6  # of a word elsewhere, from which on its places are known
_MOSTLY = 0.6  # of the words, or of a word's uses
_MOST_PLACES = 8  # of a word of a fixed grammar
_NORMAL = 1.4826
_LONGEST_WORD = 18  # letters
_LEAST_TWICE = 2  # words that are said again at once
_ODD_LETTERS = 5.0  # robust standard deviations
_LEAST_NATS = 0.25  # a letter, that count as a deviation at least
_LEAST_UNSEEN = 4  # pairs of letters that no other text has
_UNSEEN = 0.5  # of a pair of letters that nobody else has, added to every count
_ODD_SYLLABLES = 2.8  # robust standard deviations
_LEAST_RATIO = 0.12  # nats that count as a deviation at least
_LEAST_SYLLABLES = 3  # in the median: one more or less says nothing of shorter texts
_ROUNDS = 20
_LEAST_ERROR = 0.3  # syllables
_VOWELS = frozenset("aeiouyAEIOUY")

Values = np.ndarray[Any, Any]
Normalise = Callable[[str], str]
Places = Counter[tuple[int, int]]  # how often a word is in a place of a text of so many words


def odd_wording(sounds: Sequence[Sound], normalise: Normalise) -> list[Finding]:
    """Texts that are unlike the others, or unlike what can be heard.

    Said twice at once; spelt as no other; in a closed grammar, words where no other text has them;
    far more or fewer syllables than can be heard. Of fewer than twenty texts nothing is said.
    """
    spoken = []
    texts = []
    for sound in sounds:
        text = normalise(sound.utterance.text or "")
        if text:
            spoken.append(sound)
            texts.append(text)
    if len(texts) < _LEAST_LINES:
        return []
    utterances = [sound.utterance for sound in spoken]
    findings = [
        *_twice(utterances, texts),
        *_odd_letters(utterances, texts),
        *_odd_places(utterances, texts),
        *_odd_syllables(spoken, texts),
    ]
    return findings


def _twice(utterances: Sequence[Utterance], texts: Sequence[str]) -> list[Finding]:
    """Texts whose second half is their first again."""
    twice = []
    for utterance, text in zip(utterances, texts, strict=True):
        words = text.split()
        half = len(words) // 2
        is_again = words[:half] == words[half:]
        if is_again and half >= _LEAST_TWICE:
            twice.append(utterance)
    if not twice:
        return []
    return [
        Finding(
            "text-twice",
            "warning",
            f"{plural(len(twice), 'text', 'say')} everything twice, as {twice[0].text!r}",
            "look whether it is said twice; otherwise take the second half out",
            lines_of(twice),
            {"count": len(twice)},
        )
    ]


def _odd_letters(utterances: Sequence[Utterance], texts: Sequence[str]) -> list[Finding]:
    """Texts whose letters follow each other as in no other: misspelt, backwards, no spaces."""
    spellings = [LetterPairs.of(text) for text in texts]
    together = LetterPairs()
    for spelling in spellings:
        together.add(spelling)
    costs = [spelling.nats_a_letter(together) for spelling in spellings]
    away = np.array(costs) - np.median(costs)
    deviation = max(_robust_deviation(away), _LEAST_NATS / 2)
    odd = []
    for place, utterance in enumerate(utterances):
        is_costly = away[place] > _ODD_LETTERS * deviation
        is_foreign = spellings[place].own_alone(together) >= _LEAST_UNSEEN
        if is_costly or is_foreign or _is_long_word(texts[place]):
            odd.append(utterance)
    if not odd:
        return []
    return [
        Finding(
            "odd-letters",
            "note",
            f"{plural(len(odd), 'text', 'are')} spelt like no other, as {odd[0].text!r}",
            "look for misspelt texts, another language, lost spaces",
            lines_of(odd),
            {"count": len(odd)},
        )
    ]


@dataclass
class LetterPairs:
    """How often a letter follows another, and how often each is the first of a pair.

    Example:
        >>> LetterPairs.of("aab").pairs[("a", "b")]
        1
    """

    pairs: Counter[tuple[str, str]] = field(default_factory=Counter)
    firsts: Counter[str] = field(default_factory=Counter)

    @staticmethod
    def of(text: str) -> LetterPairs:
        """Those of one text, which begins and ends with a space."""
        spelling = LetterPairs(Counter(zip(f" {text}", f"{text} ", strict=True)))
        for (first, _), count in spelling.pairs.items():
            spelling.firsts[first] += count
        return spelling

    def add(self, other: LetterPairs) -> None:
        """Count those of another text too."""
        self.pairs.update(other.pairs)
        self.firsts.update(other.firsts)

    def nats_a_letter(self, together: LetterPairs) -> float:
        """What the text costs by what all others write."""
        letters = len(together.firsts) + 1
        nats = 0.0
        for pair, count in self.pairs.items():
            first = pair[0]
            of_pair = together.pairs[pair] - count + _UNSEEN
            of_first = together.firsts[first] - self.firsts[first] + _UNSEEN * letters
            nats -= count * math.log(of_pair / of_first)
        return nats / sum(self.pairs.values())

    def own_alone(self, together: LetterPairs) -> int:
        """How many kinds of pairs no other text has."""
        return sum(together.pairs[pair] == count for pair, count in self.pairs.items())


def _robust_deviation(away: Values) -> float:
    """Standard deviation of values around 0, by the median of their distances."""
    return _NORMAL * float(np.median(np.abs(away)))


def _is_long_word(text: str) -> bool:
    """Whether there is a word as long as none is: spaces were lost."""
    longest = max(len(word) for word in text.split())
    return longest >= _LONGEST_WORD


def _odd_places(utterances: Sequence[Utterance], texts: Sequence[str]) -> list[Finding]:
    """In a closed grammar, texts of unknown words, or with a known one where no other has it."""
    if closed_grammar(texts) is None:
        return []
    rows = [text.split() for text in texts]
    places: dict[str, Places] = defaultdict(Counter)
    for words in rows:
        for place, word in enumerate(words):
            places[word][place, len(words)] += 1
    odd = []
    for utterance, words in zip(utterances, rows, strict=True):
        if _is_unknown(words, places) or _is_misplaced(words, places):
            odd.append(utterance)
    if not odd:
        return []
    return [
        Finding(
            "odd-wording",
            "note",
            f"{plural(len(odd), 'text', 'have')} words, or words in places, that no other text "
            f"has, as {odd[0].text!r}",
            "look whether words were lost, swapped or misspelt",
            lines_of(odd),
            {"count": len(odd)},
        )
    ]


def _is_unknown(words: Sequence[str], places: Mapping[str, Places]) -> bool:
    """Whether most words are in no other text."""
    unknown = sum(places[word].total() == words.count(word) for word in words)
    return unknown > _MOSTLY * len(words)


def _is_misplaced(words: Sequence[str], places: Mapping[str, Places]) -> bool:
    """Whether a word that has its places elsewhere is where no other text has it."""
    for place, word in enumerate(words):
        known = places[word]
        here = known[place, len(words)]
        elsewhere = known.total() - here
        if here <= 1 and elsewhere >= _LEAST_USES and _is_settled(known):
            return True
    return False


def _is_settled(known: Places) -> bool:
    """Whether a word has its place in a fixed grammar: few places, and most of its uses in one."""
    (_, most_uses), *_ = known.most_common(1)
    return most_uses > _MOSTLY * known.total() and len(known) <= _MOST_PLACES


def _odd_syllables(spoken: Sequence[Sound], texts: Sequence[str]) -> list[Finding]:
    """Texts with far more or fewer syllables than can be heard."""
    heard = []
    scores = []
    for sound, text in zip(spoken, texts, strict=True):
        stats = None if sound.signal is None else sound.signal.speech
        if stats is None:
            continue
        heard.append(sound)
        scores.append((_syllables(text), stats.active_s, stats.nuclei))
    if len(heard) < _LEAST_LINES:
        return []
    written, active_s, nuclei = np.array(scores).T
    if np.median(written) < _LEAST_SYLLABLES:
        return []
    expected = _fitted(written, active_s, nuclei)
    away = np.log(np.maximum(written, 1)) - np.log(expected)
    away = away - np.median(away)
    deviation = max(_robust_deviation(away), _LEAST_RATIO)
    odd = []
    for place, sound in enumerate(heard):
        if abs(away[place]) > _ODD_SYLLABLES * deviation:
            odd.append(sound.utterance)
    if not odd:
        return []
    return [
        Finding(
            "odd-syllables",
            "note",
            f"{plural(len(odd), 'text', 'have')} more or fewer syllables than their sound, as "
            f"{odd[0].text!r} ({odd[0].id})",
            "listen to them: words may be lost, or the text may be of another recording",
            lines_of(odd),
            {"count": len(odd)},
        )
    ]


def _syllables(text: str) -> int:
    """Groups of vowels: about one a syllable; a letter by itself is one, too."""
    count = 0
    for word in text.split():
        groups = 0
        before = False
        for char in word:
            vowel = char in _VOWELS
            groups += vowel and not before
            before = vowel
        count += 3 if word.lower() == "w" else max(1, groups)
    return count


def _fitted(written: Values, active_s: Values, nuclei: Values) -> Values:
    """Syllables by what can be heard: least absolute deviations over seconds and nuclei."""
    heard = np.stack([np.ones_like(active_s), active_s, nuclei], axis=1)
    weights = np.ones_like(written)
    expected = written
    for _ in range(_ROUNDS):  # of least squares, each with weights of the last one's errors
        slopes = np.linalg.lstsq(heard * weights[:, None], written * weights, rcond=None)[0]
        expected = heard @ slopes
        weights = 1 / np.sqrt(np.maximum(np.abs(written - expected), _LEAST_ERROR))
    return np.asarray(np.maximum(expected, 0.5))
