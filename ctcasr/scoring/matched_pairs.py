"""MAPSSWE: the matched-pairs test on sentence segments, as NIST's sc_stats defines it.

Gillick and Cox, "Some statistical issues in the comparison of speech recognition algorithms",
ICASSP 1989; Pallett, Fisher and Fiscus, "Tools for the analysis of benchmark speech recognition
tests", ICASSP 1990.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rapidfuzz.distance import Levenshtein
from scipy.special import ndtr, ndtri

BOUNDING_WORDS = 2  # correct words of both systems that end a segment
SMALLEST_P = 1e-300  # keeps z finite


@dataclass(frozen=True)
class AlignedWords:
    """What became of each of the N words of a reference.

    `correct` is [N]; `inserted` [N + 1]: words before each of them, and after the last.
    """

    correct: tuple[bool, ...]
    inserted: tuple[int, ...]

    @property
    def errors(self) -> int:
        """Substitutions, deletions and insertions."""
        return self.correct.count(False) + sum(self.inserted)


@dataclass(frozen=True)
class Segment:
    """Errors of two systems between two runs of words that both have right."""

    first: int
    second: int


@dataclass(frozen=True)
class MatchedPairs:
    """The test on all segments; `mean` and `deviation` are of the errors first less second."""

    segments: int
    mean: float
    deviation: float
    z: float
    p: float  # two-sided


def aligned_words(reference: Sequence[str], hypothesis: Sequence[str]) -> AlignedWords:
    """The Levenshtein alignment, word by word.

    Example:
        >>> aligned_words("the cat sat".split(), "a cat sat down".split())
        AlignedWords(correct=(False, True, True), inserted=(0, 0, 0, 1))
    """
    correct = [False] * len(reference)
    inserted = [0] * (len(reference) + 1)
    for step in Levenshtein.opcodes(reference, hypothesis):
        if step.tag == "insert":
            inserted[step.src_start] += step.dest_end - step.dest_start
        elif step.tag == "equal":
            for position in range(step.src_start, step.src_end):
                correct[position] = True
    return AlignedWords(tuple(correct), tuple(inserted))


def segments(
    first: AlignedWords, second: AlignedWords, bounding_words: int = BOUNDING_WORDS
) -> list[Segment]:
    """Segments of one utterance with at least one error of either system.

    A segment ends where both systems have `bounding_words` words right in a row, with nothing
    inserted between, or where the utterance does.

    Raises:
        ValueError: where the two are not about the same number of words.

    Example:
        >>> words = "a b c d e f".split()
        >>> one = aligned_words(words, "a x c d e f".split())
        >>> other = aligned_words(words, "a b c d e y".split())
        >>> segments(one, other)
        [Segment(first=1, second=0), Segment(first=0, second=1)]
    """
    if len(first.correct) != len(second.correct):
        raise ValueError(
            "expected two alignments with the same reference; got "
            f"{len(first.correct)} and {len(second.correct)} words"
        )
    found: list[Segment] = []
    first_errors = 0
    second_errors = 0
    good_in_a_row = 0
    for position in range(len(first.correct) + 1):
        first_inserted = first.inserted[position]
        second_inserted = second.inserted[position]
        if first_inserted or second_inserted:
            first_errors += first_inserted
            second_errors += second_inserted
            good_in_a_row = 0
        if position == len(first.correct):
            break
        first_errors += not first.correct[position]
        second_errors += not second.correct[position]
        both_right = first.correct[position] and second.correct[position]
        good_in_a_row = good_in_a_row + 1 if both_right else 0
        if good_in_a_row >= bounding_words and first_errors + second_errors:
            found.append(Segment(first_errors, second_errors))
            first_errors = 0
            second_errors = 0
    if first_errors + second_errors:
        found.append(Segment(first_errors, second_errors))
    return found


def matched_pairs(found: Iterable[Segment]) -> MatchedPairs:
    """The normal test on the differences of all segments; p is 1 where no segment differs.

    Where all differ alike there is no spread to judge by: p is then that of the sign test over the
    segments, 2 / 2^N (sc_stats prints z 0, p 1 and no difference; the formula would say p 0).

    Example:
        >>> round(matched_pairs([Segment(2, 0), Segment(1, 0), Segment(1, 1), Segment(3, 1)]).z, 2)
        2.61
    """
    differences = [segment.first - segment.second for segment in found]
    count = len(differences)
    if count < 2:
        return MatchedPairs(count, float(sum(differences)), 0.0, 0.0, 1.0)
    mean = sum(differences) / count
    squares = sum((difference - mean) ** 2 for difference in differences)
    deviation = math.sqrt(squares / (count - 1))
    if deviation == 0:
        p_of_signs = max(2.0 ** (1 - count), SMALLEST_P) if mean else 1.0
        z = float(ndtri(p_of_signs / 2))  # of a normal test with this p
        return MatchedPairs(count, mean, 0.0, math.copysign(z, mean), p_of_signs)
    z = mean / (deviation / math.sqrt(count))
    return MatchedPairs(count, mean, deviation, z, 2 * float(ndtr(-abs(z))))
