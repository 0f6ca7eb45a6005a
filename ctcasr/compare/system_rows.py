"""Rates of each system over a group of utterances, and every pair of systems there."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import mean

import numpy as np

from ctcasr.compare.pairs import Grouping, Pair, PairResult, Scored, decide_pairs
from ctcasr.compare.scores import Scores
from ctcasr.scoring.bootci import BootCI, bootci
from ctcasr.scoring.bootstrap import LEVEL, Bounds, Paired, draw, interval, unit_sums
from ctcasr.scoring.errors import ErrorRates


@dataclass(frozen=True)
class SystemRow:
    """One system over a group of utterances."""

    system: str
    errors: ErrorRates
    interval: Bounds  # of the pooled WER, 95 %
    kaldi: BootCI | None
    mean_wer: float | None  # mean of the utterances' own rates
    loops: int
    missing: int  # utterances with a reference for which it wrote nothing down
    wer_missing_as_deletions: float | None


@dataclass(frozen=True)
class Group:
    """Rows and pairs of some utterances."""

    rows: list[SystemRow]
    pairs: list[PairResult]


@dataclass(frozen=True)
class SystemTable:
    """Scores from which groups are made."""

    scores: Scores
    grouping: Grouping
    draws: int
    seed: int

    def groups(self, members: Mapping[str, Sequence[str]]) -> dict[str, Group]:
        """Rows and pairs of each group; the pairs of all groups are one family of tests."""
        scored = {}
        for group, utterances in members.items():
            for first, second in combinations(self.scores, 2):
                both = self._both(first, second, utterances)
                if both[0]:
                    scored[Pair(group, first, second)] = both
        results = decide_pairs(scored, self.grouping, self.draws, self.seed)
        groups = {}
        for group, utterances in members.items():
            rows = [self.row(system, utterances) for system in self.scores]
            pairs = [result for pair, result in results.items() if pair.group == group]
            groups[group] = Group(rows, pairs)
        return groups

    def _both(
        self, first: str, second: str, utterances: Sequence[str]
    ) -> tuple[dict[str, Scored], dict[str, Scored]]:
        """The same utterances of two systems, those that both have."""
        of_first = {}
        of_second = {}
        for utterance in utterances:
            scored = self.scores[first].get(utterance)
            other = self.scores[second].get(utterance)
            if scored is not None and other is not None:
                of_first[utterance] = scored
                of_second[utterance] = other
        return of_first, of_second

    def row(self, system: str, utterances: Sequence[str]) -> SystemRow:
        """One system over some utterances."""
        errors = ErrorRates()
        own_rates = []
        loops = 0
        missing = 0
        missing_words = 0
        heard = []
        for utterance in utterances:
            scored = self.scores[system].get(utterance)
            if scored is None:
                missing += 1
                missing_words += self._words(utterance)
                continue
            heard.append(utterance)
            errors += scored.errors
            own_rates.append(scored.errors.words.rate_or(math.nan))
            loops += scored.is_loop
        all_words = errors.words.total + missing_words
        wrong_words = errors.words.errors + missing_words
        return SystemRow(
            system=system,
            errors=errors,
            interval=self._interval(system, heard),
            kaldi=self._kaldi(system, heard),
            mean_wer=mean(own_rates) if own_rates else None,
            loops=loops,
            missing=missing,
            wer_missing_as_deletions=wrong_words / all_words if all_words else None,
        )

    def _words(self, utterance: str) -> int:
        """Words of an utterance, from a system that has it."""
        for of_system in self.scores.values():
            if utterance in of_system:
                return of_system[utterance].errors.words.total
        return 0

    def _interval(self, system: str, utterances: Sequence[str]) -> Bounds:
        """95 % interval of the pooled WER: the difference to a system without an error."""
        if not utterances:
            return (-math.inf, math.inf)
        units = [self.grouping.unit_of[utterance] for utterance in utterances]
        errors, words = unit_sums(units, *self._counts(system, utterances))
        drawn = draw(Paired(0 * errors, errors, words), self.draws, self.seed)
        return interval(drawn, len(errors), LEVEL)

    def _kaldi(self, system: str, utterances: Sequence[str]) -> BootCI | None:
        if not utterances:
            return None
        errors, words = self._counts(system, utterances)
        return bootci(np.array(errors), np.array(words), self.draws, self.seed)

    def _counts(self, system: str, utterances: Sequence[str]) -> tuple[list[float], list[float]]:
        """Word errors and words of each utterance of a system."""
        errors = []
        words = []
        for utterance in utterances:
            tally = self.scores[system][utterance].errors.words
            errors.append(float(tally.errors))
            words.append(float(tally.total))
        return errors, words
