"""Two systems on the same utterances: the difference, how sure it is, and NIST's tests."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from ctcasr.compare.significance import FEWEST_UNITS, Tested, decide_family
from ctcasr.scoring.bootci import improvement
from ctcasr.scoring.bootstrap import (
    DRAWS,
    HARMS,
    HELPS,
    LEVEL,
    Difference,
    Floats,
    Paired,
    unit_sums,
)
from ctcasr.scoring.errors import ErrorRates
from ctcasr.scoring.matched_pairs import AlignedWords, MatchedPairs, matched_pairs, segments
from ctcasr.scoring.rank_tests import SignTest, WilcoxonTest, sign_test, wilcoxon_test

WHOLE = "all"  # the group of all utterances
NIST_TESTS = ("mapsswe", "sign", "wilcoxon")


@dataclass(frozen=True)
class Scored:
    """One utterance of one system, normalised."""

    reference: str
    hypothesis: str
    errors: ErrorRates
    aligned: AlignedWords
    is_loop: bool = False


class Pair(NamedTuple):
    """Two systems in a group of utterances."""

    group: str
    first: str
    second: str


@dataclass(frozen=True)
class Wins:
    """How many utterances each of two systems has with fewer word errors."""

    first: int
    second: int
    ties: int


@dataclass(frozen=True)
class PairResult:
    """Everything about one pair; the difference is that of `second` less `first`."""

    pair: Pair
    utterances: int
    tested: Tested
    wins: Wins
    improvement: float  # share of draws in which `second` has fewer errors (Kaldi)
    rank_unit: str  # what sign and Wilcoxon tests rank: speakers, or utterances
    mapsswe: MatchedPairs
    sign: SignTest
    wilcoxon: WilcoxonTest
    corrected: Mapping[str, float]  # p of each of NIST's tests, by Holm over the family

    @property
    def better(self) -> str:
        """The system that is better, or "" where that is undecided."""
        if self.tested.word == HELPS:
            return self.pair.second
        return self.pair.first if self.tested.word == HARMS else ""

    @property
    def better_by_mapsswe(self) -> str:
        """The same by the corrected MAPSSWE alone."""
        if self.corrected["mapsswe"] >= LEVEL:
            return ""
        return self.pair.first if self.mapsswe.mean < 0 else self.pair.second


@dataclass(frozen=True)
class Grouping:
    """What is independent of what: names by utterance."""

    unit: str  # how a unit is called
    unit_of: Mapping[str, str]
    rank_unit: str
    rank_unit_of: Mapping[str, str]


def utterances_needed(difference: Difference, utterances: int, wanted: float) -> int | None:
    """How many utterances such as these would show a difference of `wanted` in 4 of 5 cases.

    The standard error falls with the root of their number, and below 10 units there is no word;
    None where no utterance differs.

    Example:
        >>> found = Difference(-0.02, (-0.05, 0.01), (-0.05, 0.01), 0.2, 0.04, 100, "undecided")
        >>> utterances_needed(found, 100, 0.02)
        400
    """
    if difference.resolvable is None or not wanted:
        return None
    needed = utterances * (difference.resolvable / abs(wanted)) ** 2
    fewest = utterances * FEWEST_UNITS / difference.units
    return math.ceil(max(needed, fewest) - 1e-9)


def paired_errors(
    first: Mapping[str, Scored], second: Mapping[str, Scored], unit_of: Mapping[str, str]
) -> Paired:
    """Word errors of two systems on the same utterances, summed over units."""
    units = [unit_of[utterance] for utterance in first]
    first_errors = [scored.errors.words.errors for scored in first.values()]
    second_errors = [second[utterance].errors.words.errors for utterance in first]
    words = [scored.errors.words.total for scored in first.values()]
    sums = unit_sums(units, first_errors, second_errors, words)
    return Paired(*sums)


def decide_pairs(
    scored: Mapping[Pair, tuple[Mapping[str, Scored], Mapping[str, Scored]]],
    grouping: Grouping,
    draws: int = DRAWS,
    seed: int = 0,
) -> dict[Pair, PairResult]:
    """All pairs as one family of tests; each has the same utterances for both systems.

    Raises:
        ValueError: for less than 1000 draws.
    """
    family = {}
    for pair, (first, second) in scored.items():
        family[pair] = paired_errors(first, second, grouping.unit_of)
    decided = decide_family(family, draws, seed)
    results = {}
    for pair, (first, second) in scored.items():
        share = improvement(family[pair], draws, seed)
        results[pair] = _result(pair, first, second, decided[pair], share, grouping)
    return _with_corrections(results)


def _result(
    pair: Pair,
    first: Mapping[str, Scored],
    second: Mapping[str, Scored],
    tested: Tested,
    share: float,
    grouping: Grouping,
) -> PairResult:
    found = []
    for utterance, scored in first.items():
        found.extend(segments(scored.aligned, second[utterance].aligned))
    first_percent = _percent_by_unit(first, grouping.rank_unit_of)
    second_percent = _percent_by_unit(second, grouping.rank_unit_of)
    return PairResult(
        pair=pair,
        utterances=len(first),
        tested=tested,
        wins=_wins(first, second),
        improvement=share,
        rank_unit=grouping.rank_unit,
        mapsswe=matched_pairs(found),
        sign=sign_test(first_percent, second_percent),
        wilcoxon=wilcoxon_test(first_percent, second_percent),
        corrected={},
    )


def _wins(first: Mapping[str, Scored], second: Mapping[str, Scored]) -> Wins:
    first_wins = 0
    second_wins = 0
    for utterance, scored in first.items():
        errors = scored.errors.words.errors
        other_errors = second[utterance].errors.words.errors
        first_wins += errors < other_errors
        second_wins += other_errors < errors
    return Wins(first_wins, second_wins, len(first) - first_wins - second_wins)


def _percent_by_unit(scored: Mapping[str, Scored], unit_of: Mapping[str, str]) -> list[float]:
    """Word error rates in % of the units that have words."""
    units = [unit_of[utterance] for utterance in scored]
    errors = [one.errors.words.errors for one in scored.values()]
    words = [one.errors.words.total for one in scored.values()]
    error_sums, word_sums = unit_sums(units, errors, words)
    return _percent(error_sums, word_sums)


def _percent(error_sums: Floats, word_sums: Floats) -> list[float]:
    rates = []
    for errors, words in zip(error_sums, word_sums, strict=True):
        if words:
            rates.append(100 * float(errors) / float(words))
    return rates


def _with_corrections(results: Mapping[Pair, PairResult]) -> dict[Pair, PairResult]:
    """The results with NIST's tests corrected, each test over the whole family.

    Pairs of too few units are in no family, as in `decide_family`; their p becomes 1.
    """
    pairs = []
    for pair, result in results.items():
        if result.tested.difference.units >= FEWEST_UNITS:
            pairs.append(pair)
    corrected = {pair: dict.fromkeys(NIST_TESTS, 1.0) for pair in results}
    for test in NIST_TESTS:
        p_values = [getattr(results[pair], test).p for pair in pairs]
        for pair, p in zip(pairs, holm_p(p_values), strict=True):
            corrected[pair][test] = p
    return {pair: replace(results[pair], corrected=corrected[pair]) for pair in results}


def holm_p(p_values: Sequence[float]) -> list[float]:
    """p values corrected by Holm's step-down (1979): to be held against the level itself.

    Example:
        >>> holm_p([0.01, 0.04, 0.03])
        [0.03, 0.06, 0.06]
    """
    order = sorted(range(len(p_values)), key=lambda index: p_values[index])
    corrected = [1.0] * len(p_values)
    highest = 0.0
    for rank, index in enumerate(order):
        highest = max(highest, min(1.0, p_values[index] * (len(p_values) - rank)))
        corrected[index] = highest
    return corrected
