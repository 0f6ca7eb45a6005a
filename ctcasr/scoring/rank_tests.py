"""Sign and Wilcoxon tests, as NIST's sc_stats prints them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from scipy.special import bdtr, ndtr
from scipy.stats import rankdata

EQUAL_POINTS = 0.005  # rates in % that differ by no more are equal


@dataclass(frozen=True)
class SignTest:
    """In how many units each system has the lower rate; `p` is two-sided."""

    first_better: int
    second_better: int
    equal: int
    p: float


@dataclass(frozen=True)
class WilcoxonTest:
    """Sums of the ranks of differences first less second, and the normal test; `p` two-sided."""

    positive_ranks: float
    negative_ranks: float
    z: float
    p: float


def sign_test(first_percent: Sequence[float], second_percent: Sequence[float]) -> SignTest:
    """The sign test on error rates in % of the units (speakers) [U]; equal ones are shared out.

    Example:
        >>> sign_test([28.9, 22.4, 21.4, 25.9, 25.4], [12.4, 10.5, 11.6, 14.3, 14.9])
        SignTest(first_better=0, second_better=5, equal=0, p=0.0625)
    """
    first_better = 0
    second_better = 0
    equal = 0
    for first, second in zip(first_percent, second_percent, strict=True):
        if abs(first - second) <= EQUAL_POINTS:
            equal += 1
        elif first < second:
            first_better += 1
        else:
            second_better += 1
    # sc_stats takes the system with the higher sum as that with the positive differences; the
    # odd one of the equal units goes to the other side.
    first_has_more = sum(first_percent) > sum(second_percent)
    against_trend = first_better if first_has_more else second_better
    with_trend = second_better if first_has_more else first_better
    against_trend += equal - equal // 2
    with_trend += equal // 2
    return SignTest(first_better, second_better, equal, _two_sided(against_trend, with_trend))


def wilcoxon_test(first_percent: Sequence[float], second_percent: Sequence[float]) -> WilcoxonTest:
    """Wilcoxon's signed-rank test on error rates in % of the units (speakers) [U].

    Units without a difference keep their ranks and are given to either side in turn; the normal
    approximation, which sc_stats uses whatever the number of units, wants eight of them.

    Example:
        >>> found = wilcoxon_test([28.9, 22.4, 21.4, 25.9, 25.4], [12.4, 10.5, 11.6, 14.3, 14.9])
        >>> found.positive_ranks, round(found.p, 3)
        (15.0, 0.043)
    """
    swapped = sum(first_percent) <= sum(second_percent)
    higher = second_percent if swapped else first_percent
    lower = first_percent if swapped else second_percent
    differences = [one - other for one, other in zip(higher, lower, strict=True)]
    if not differences:
        return WilcoxonTest(0.0, 0.0, 0.0, 1.0)
    ranks = rankdata([abs(difference) for difference in differences])
    positive: list[float] = []
    negative: list[float] = []
    equal = 0
    for difference, rank in zip(differences, ranks, strict=True):
        side = positive if difference > 0 else negative
        if abs(difference) <= EQUAL_POINTS:
            side = positive if equal % 2 == 0 else negative
            equal += 1
        side.append(float(rank))
    statistic = sum(positive) if len(positive) < len(negative) else sum(negative)
    units = len(differences)
    expected = units * (units + 1) / 4
    variance = units * (units + 1) * (2 * units + 1) / 24
    z = (statistic - expected) / math.sqrt(variance)
    sums = [sum(positive), sum(negative)]
    if swapped:
        sums.reverse()
    return WilcoxonTest(sums[0], sums[1], z, 2 * float(ndtr(-abs(z))))


def _two_sided(count: int, other_count: int) -> float:
    """Twice the chance of so few heads; 1 for equal counts."""
    if count == other_count:
        return 1.0
    fewer = min(count, other_count)
    return min(1.0, 2 * float(bdtr(fewer, count + other_count, 0.5)))
