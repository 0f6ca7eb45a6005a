"""A comparison of systems as texts, for the terminal, the page and LaTeX."""

from __future__ import annotations

import math

from ctcasr.compare.comparison import Comparison, ComparisonSetting
from ctcasr.compare.pairs import PairResult, utterances_needed
from ctcasr.compare.system_rows import SystemRow
from ctcasr.scoring.bootstrap import LEVEL
from ctcasr.show.units import UNKNOWN, percent, plural

POINTS = 100.0


def statement(comparison: Comparison, setting: ComparisonSetting) -> str:
    """One sentence for a paper: test, unit, draws, correction, normaliser."""
    pairs = plural(comparison.family, "pair")
    return (
        f"Word error rates of {len(comparison.systems)} systems were compared on "
        f"{compared_units(comparison)} after the normaliser {setting.normaliser}; a "
        f"difference counts as real where a paired bootstrap ({setting.draws} draws of "
        f"{comparison.unit}s, percentile intervals) and a paired sign-flip test agree, both "
        f"corrected by Holm's step-down for {pairs} at a family-wise level of "
        f"{LEVEL:g}; intervals are 95 % ones."
    )


def compared_units(comparison: Comparison) -> str:
    """How many units the pairs were tested on: of an incomplete system only those it has."""
    counts = [result.tested.difference.units for result in comparison.whole.pairs]
    fewest = min(counts)
    most = max(counts)
    if fewest == comparison.units:
        return f"{fewest} {comparison.unit}s"
    tested = str(fewest) if fewest == most else f"{fewest} to {most}"
    return (
        f"{tested} of {comparison.units} {comparison.unit}s, those that both systems of a pair "
        "have,"
    )


def interval_text(row: SystemRow) -> str:
    """The 95 % interval of a pooled WER, in %."""
    low, high = row.interval
    if not math.isfinite(low):
        return UNKNOWN
    return f"{POINTS * low:.2f} - {POINTS * high:.2f}"


def counts_text(row: SystemRow) -> str:
    """Substitutions, deletions, insertions."""
    words = row.errors.words
    return f"{words.substitutions} / {words.deletions} / {words.insertions}"


def side_text(result: PairResult) -> str:
    """Which of the two is better, in words."""
    if not result.better:
        return "undecided"
    return "first better" if result.better == result.pair.first else "second better"


def wins_text(result: PairResult) -> str:
    """Utterances that the first, neither and the second has with fewer errors."""
    return f"{result.wins.first} / {result.wins.ties} / {result.wins.second}"


def p_text(p: float) -> str:
    """A p value as sc_stats prints them.

    Example:
        >>> p_text(0.0412), p_text(0.0001)
        ('0.041', '<0.001')
    """
    return "<0.001" if p < 0.0005 else f"{p:.3f}"


def nist_text(result: PairResult, test: str) -> str:
    """p of one of NIST's tests, and that corrected by Holm where they differ."""
    p = getattr(result, test).p
    corrected = result.corrected[test]
    if p_text(p) == p_text(corrected):
        return p_text(p)
    return f"{p_text(p)} ({p_text(corrected)})"


def resolvable_text(result: PairResult) -> str:
    """The difference that the set finds in 4 of 5 cases, in points."""
    resolvable = result.tested.difference.resolvable
    return UNKNOWN if resolvable is None else f"{POINTS * resolvable:.2f}"


def needed_text(result: PairResult, wanted: float | None = None) -> str:
    """Utterances that would show a difference of `wanted` (default: the one seen)."""
    difference = result.tested.difference
    if wanted is None:
        wanted = difference.difference
    needed = utterances_needed(difference, result.utterances, wanted)
    return UNKNOWN if needed is None else str(needed)


def rate_text(share: float | None) -> str:
    """A rate in % with two digits."""
    return percent(share, 2)
