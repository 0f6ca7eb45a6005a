"""Tallies that add: word and character errors, counted by jiwer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import jiwer


@dataclass(frozen=True)
class ErrorTally:
    """Counts of an alignment (hits, substitutions, deletions, insertions); tallies add, rates do not."""

    hits: int = 0
    substitutions: int = 0
    deletions: int = 0
    insertions: int = 0
    confusions: Counter[tuple[str, str]] = field(
        default_factory=Counter
    )  # (said, written); "" stands for nothing

    def __add__(self, other: ErrorTally) -> ErrorTally:
        return ErrorTally(
            self.hits + other.hits,
            self.substitutions + other.substitutions,
            self.deletions + other.deletions,
            self.insertions + other.insertions,
            self.confusions + other.confusions,
        )

    @property
    def errors(self) -> int:
        return self.substitutions + self.deletions + self.insertions

    @property
    def total(self) -> int:
        """Words (or characters) in the references."""
        return self.hits + self.substitutions + self.deletions

    @property
    def rate(self) -> float:
        """Errors per reference word; 0 for nothing said and nothing written, infinite for words written over nothing."""
        return self.errors / self.total if self.total else (float("inf") if self.errors else 0.0)

    def counts(self) -> dict[str, int]:
        """The counts as plain data."""
        return {
            "substitutions": self.substitutions,
            "deletions": self.deletions,
            "insertions": self.insertions,
            "hits": self.hits,
            "total": self.total,
        }


def word_errors(reference: str, hypothesis: str) -> ErrorTally:
    """Levenshtein alignment of the words; both sides may be empty."""
    return _errors(reference.split(), hypothesis.split())


def char_errors(reference: str, hypothesis: str) -> ErrorTally:
    """Levenshtein alignment of the characters, spaces included."""
    return _errors(list(reference), list(hypothesis))


def _errors(said: Sequence[str], written: Sequence[str]) -> ErrorTally:
    """jiwer's alignment of units (words, characters)."""
    if not said:
        return ErrorTally(insertions=len(written), confusions=Counter(("", w) for w in written))
    # jiwer splits and strips its texts: it is given numbers for the units, so that a space, or any character, can be one.
    number: dict[str, str] = {}
    lines = [
        " ".join(number.setdefault(unit, str(len(number))) for unit in units)
        for units in (said, written)
    ]
    out = jiwer.process_words(lines[0], lines[1])
    confusions: Counter[tuple[str, str]] = Counter()
    for chunk in out.alignments[0]:
        span_said = said[chunk.ref_start_idx : chunk.ref_end_idx]
        span_written = written[chunk.hyp_start_idx : chunk.hyp_end_idx]
        if chunk.type == "substitute":
            confusions.update(zip(span_said, span_written, strict=True))
        elif chunk.type == "delete":
            confusions.update((word, "") for word in span_said)
        elif chunk.type == "insert":
            confusions.update(("", word) for word in span_written)
    return ErrorTally(out.hits, out.substitutions, out.deletions, out.insertions, confusions)


def alignment(reference: str, hypothesis: str) -> str:
    """Reference over hypothesis with the errors marked, for people (three lines)."""
    if not reference.split():
        return f"REF: \nHYP: {hypothesis}\n"
    out = jiwer.process_words(reference, hypothesis)
    return (
        jiwer.visualize_alignment(out, show_measures=False, skip_correct=False)
        .split("\n", 1)[1]
        .rstrip()
        + "\n"
    )


@dataclass(frozen=True)
class ErrorRates:
    """Word and character errors over any number of utterances."""

    words: ErrorTally = field(default_factory=ErrorTally)
    chars: ErrorTally = field(default_factory=ErrorTally)
    utterances: int = 0
    wrong: int = 0  # utterances with at least one word error
    empty: int = 0  # hypotheses without a word, where something was said

    def __add__(self, other: ErrorRates) -> ErrorRates:
        return ErrorRates(
            self.words + other.words,
            self.chars + other.chars,
            self.utterances + other.utterances,
            self.wrong + other.wrong,
            self.empty + other.empty,
        )

    @staticmethod
    def of(reference: str, hypothesis: str) -> ErrorRates:
        """The tally of one utterance, both texts normalised alike."""
        words = word_errors(reference, hypothesis)
        return ErrorRates(
            words,
            char_errors(reference, hypothesis),
            1,
            int(words.errors > 0),
            int(bool(reference.split()) and not hypothesis.split()),
        )

    def metrics(self) -> dict[str, Any]:
        """Rates and counts as plain data."""
        return {
            "wer": self.words.rate,
            "cer": self.chars.rate,
            "utterances": self.utterances,
            "sentences_wrong": self.wrong,
            "empty_hypotheses": self.empty,
            "words": self.words.counts(),
            "chars": self.chars.counts(),
        }
