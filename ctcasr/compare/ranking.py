"""Systems from best to worst, and what the rules of scoring change in that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import mean

from ctcasr.compare.scores import Scores

POOLED = "pooled"  # all errors over all words
MEANS = "mean of utterances"  # of their own rates

Rates = Mapping[str, float]  # by system, shares of 1


@dataclass(frozen=True)
class Ranking:
    """All systems under one normaliser and one way of averaging, best first."""

    normaliser: str
    averaging: str  # POOLED or MEANS
    wer: Rates

    @property
    def order(self) -> list[str]:
        """Systems from the lowest rate to the highest."""
        return sorted(self.wer, key=lambda system: (self.wer[system], system))


def rankings_of(scores: Scores, name: str) -> list[Ranking]:
    """Pooled and mean rates under one normaliser, on the utterances that all systems have."""
    common = set.intersection(*(set(of_system) for of_system in scores.values()))
    pooled = {}
    means = {}
    for system, of_system in scores.items():
        rates = [of_system[utterance].errors.words for utterance in common]
        total = sum(rate.total for rate in rates)
        if not total:
            return []
        pooled[system] = sum(rate.errors for rate in rates) / total
        means[system] = mean(rate.rate_or(0.0) for rate in rates)
    return [Ranking(name, POOLED, pooled), Ranking(name, MEANS, means)]


def changes_of_order(rankings: Sequence[Ranking]) -> list[str]:
    """A warning for each ranking that is not the first one's."""
    remarks = []
    for ranking in rankings[1:]:
        first = rankings[0]
        if _discordant(first.wer, ranking.wer):
            remarks.append(
                f"the order changes with the rules: {' < '.join(ranking.order)} with "
                f"{ranking.normaliser}, {ranking.averaging}; {' < '.join(first.order)} with "
                f"{first.normaliser}, {first.averaging}"
            )
    return remarks


def _discordant(rates: Rates, other_rates: Rates) -> bool:
    """Whether two systems change places; equal rates have no order."""
    for first, second in combinations(rates, 2):
        gap = rates[first] - rates[second]
        other_gap = other_rates[first] - other_rates[second]
        if gap * other_gap < 0:
            return True
    return False
