"""Tallies that add: word and character errors, counted by jiwer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import jiwer

from ctcasr.scoring.figures import percent

# (unit of the reference, unit of the hypothesis); "" stands for nothing
Confusions = Counter[tuple[str, str]]


@dataclass(frozen=True)
class ErrorTally:
    """Counts of an alignment; tallies add, rates do not."""

    hits: int = 0
    substitutions: int = 0
    deletions: int = 0
    insertions: int = 0
    confusions: Confusions = field(default_factory=Counter)

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
        """Substitutions, deletions and insertions."""
        return self.substitutions + self.deletions + self.insertions

    @property
    def total(self) -> int:
        """Words (or characters) in the references."""
        return self.hits + self.substitutions + self.deletions

    @property
    def rate(self) -> float | None:
        """Errors per reference word; None without words: nothing scored is no perfect score."""
        if not self.total:
            return None
        return self.errors / self.total

    def rate_or(self, default: float) -> float:
        """The rate, or `default` without words: infinity to rank by, NaN to measure with."""
        return default if self.rate is None else self.rate

    def counts(self) -> dict[str, int]:
        """The counts as plain data: substitutions, deletions, insertions, hits, total."""
        return {
            "substitutions": self.substitutions,
            "deletions": self.deletions,
            "insertions": self.insertions,
            "hits": self.hits,
            "total": self.total,
        }


def word_errors(reference: str, hypothesis: str) -> ErrorTally:
    """Levenshtein alignment of the words; both sides may be empty.

    Example:
        >>> tally = word_errors("the cat sat", "the bat sat down")
        >>> tally.errors, tally.total, tally.confusions["cat", "bat"]
        (2, 3, 1)
    """
    return _errors(reference.split(), hypothesis.split())


def char_errors(reference: str, hypothesis: str) -> ErrorTally:
    """Levenshtein alignment of the characters, spaces included.

    Example:
        >>> char_errors("cat", "bat").rate
        0.3333333333333333
    """
    return _errors(list(reference), list(hypothesis))


def _errors(reference: Sequence[str], hypothesis: Sequence[str]) -> ErrorTally:
    """jiwer's alignment of units (words, characters)."""
    if not reference:
        invented = Counter(("", unit) for unit in hypothesis)
        return ErrorTally(insertions=len(hypothesis), confusions=invented)
    # jiwer splits and strips its texts: it is given numbers for the units, so that a space, or any
    # character, can be one.
    numbers: dict[str, str] = {}
    aligned = jiwer.process_words(_numbered(reference, numbers), _numbered(hypothesis, numbers))
    confusions: Confusions = Counter()
    for chunk in aligned.alignments[0]:
        reference_span = reference[chunk.ref_start_idx : chunk.ref_end_idx]
        hypothesis_span = hypothesis[chunk.hyp_start_idx : chunk.hyp_end_idx]
        if chunk.type == "substitute":
            confusions.update(zip(reference_span, hypothesis_span, strict=True))
        elif chunk.type == "delete":
            confusions.update((unit, "") for unit in reference_span)
        elif chunk.type == "insert":
            confusions.update(("", unit) for unit in hypothesis_span)
    return ErrorTally(
        aligned.hits,
        aligned.substitutions,
        aligned.deletions,
        aligned.insertions,
        confusions,
    )


def _numbered(units: Sequence[str], numbers: dict[str, str]) -> str:
    """Units as numbers with spaces between; `numbers` grows with each new unit."""
    return " ".join(numbers.setdefault(unit, str(len(numbers))) for unit in units)


def alignment(reference: str, hypothesis: str) -> str:
    """Reference over hypothesis with the errors marked, for people (three lines).

    Example:
        >>> print(alignment("the cat", "the bat").strip())
        REF: the cat
        HYP: the bat
                   S
    """
    if not reference.split():
        return f"REF: \nHYP: {hypothesis}\n"
    aligned = jiwer.process_words(reference, hypothesis)
    text = jiwer.visualize_alignment(aligned, show_measures=False, skip_correct=False)
    _, lines = text.split("\n", 1)  # the first line numbers the sentence
    return lines.rstrip() + "\n"


@dataclass(frozen=True)
class ErrorRates:
    """Word and character errors over any number of utterances; tallies add.

    Example:
        >>> total = ErrorRates.of("a b c", "a x") + ErrorRates.of("d", "d")
        >>> print(total, "of", total.utterances, "utterances")
        WER 50.00 %, CER 50.00 % of 2 utterances
        >>> print(ErrorRates())
        WER - (no words), CER - (no words)
    """

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

    def __str__(self) -> str:
        return f"WER {_percent(self.words)}, CER {_percent(self.chars)}"

    @staticmethod
    def of(reference: str, hypothesis: str) -> ErrorRates:
        """The tally of one utterance, both texts normalised alike."""
        words = word_errors(reference, hypothesis)
        nothing_written = bool(reference.split()) and not hypothesis.split()
        return ErrorRates(
            words=words,
            chars=char_errors(reference, hypothesis),
            utterances=1,
            wrong=int(words.errors > 0),
            empty=int(nothing_written),
        )

    def metrics(self) -> dict[str, Any]:
        """Rates and counts as plain data.

        Keys: wer, cer (shares of 1, None without words); utterances, sentences_wrong,
        empty_hypotheses; words and chars (each as `ErrorTally.counts`).
        """
        return {
            "wer": self.words.rate,
            "cer": self.chars.rate,
            "utterances": self.utterances,
            "sentences_wrong": self.wrong,
            "empty_hypotheses": self.empty,
            "words": self.words.counts(),
            "chars": self.chars.counts(),
        }


def _percent(tally: ErrorTally) -> str:
    """A rate for people."""
    if tally.rate is None:
        return "- (no words)"
    return percent(tally.rate, 2)
