"""Systems against each other: rates, strata, every pair, and what the rules of scoring change."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from statistics import mean

import numpy as np

from ctcasr.compare.loops import is_loop
from ctcasr.compare.normalisers import DEFAULT, Normalise, normaliser
from ctcasr.compare.pairs import (
    WHOLE,
    Grouping,
    Pair,
    PairResult,
    Scored,
    decide_pairs,
)
from ctcasr.compare.results import References, System, first_names
from ctcasr.compare.significance import FEWEST_UNITS
from ctcasr.scoring.bootci import BootCI, bootci
from ctcasr.scoring.bootstrap import (
    DRAWS,
    FEW_SPEAKERS,
    LEVEL,
    Bounds,
    Paired,
    draw,
    interval,
    unit_sums,
)
from ctcasr.scoring.errors import ErrorRates
from ctcasr.scoring.figures import plural
from ctcasr.scoring.matched_pairs import aligned_words

USUAL_STRATA = ("snr_db", "interferer", "noise", "seen", "split", "label")
MOST_GROUPS = 12  # numbers of more values are put into bins
BINS = 4
SPEAKER = "speaker"
SOURCE = "source"
UTTERANCE = "utterance"
POOLED = "pooled"  # all errors over all words
MEANS = "mean of utterances"  # of their own rates

Scores = Mapping[str, Mapping[str, Scored]]  # system -> utterance
Rates = Mapping[str, float]  # by system, shares of 1


@dataclass(frozen=True)
class Setting:
    """How systems are compared.

    `block` is the field whose values are independent of each other; "" chooses: speakers from 20
    on, else the sentences that scenes were made of, else utterances.
    """

    normaliser: str = DEFAULT
    block: str = ""
    strata: Sequence[str] = ()
    draws: int = DRAWS
    seed: int = 0


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
class Comparison:
    """What was found."""

    systems: list[str]
    unit: str
    units: int  # of the utterances that any system has
    whole: Group
    strata: dict[str, dict[str, Group]]  # field -> value
    sensitivity: list[Ranking]
    scores: Scores
    remarks: list[str] = field(default_factory=list)

    @property
    def family(self) -> int:
        """How many pairs Holm's correction is about: those of enough units for a word."""
        return sum(pair.tested.difference.units >= FEWEST_UNITS for pair in self.whole.pairs)


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


def score_systems(
    systems: Iterable[System], references: References, normalise: Normalise
) -> dict[str, dict[str, Scored]]:
    """Every utterance that has a reference with a word in it."""
    normal_references: dict[str, str] = {}
    scores: dict[str, dict[str, Scored]] = {}
    for system in systems:
        of_system: dict[str, Scored] = {}
        for utterance, answer in system.answers.items():
            if utterance not in references.texts or answer.hypothesis is None:
                continue
            if utterance not in normal_references:
                normal_references[utterance] = normalise(references.texts[utterance])
            reference = normal_references[utterance]
            if reference:
                of_system[utterance] = score(reference, normalise(answer.hypothesis))
        scores[system.name] = of_system
    return scores


def score(reference: str, hypothesis: str) -> Scored:
    """One utterance, both texts normalised.

    Example:
        >>> score("the cat", "the bat").errors.words.errors
        1
    """
    return Scored(
        reference,
        hypothesis,
        ErrorRates.of(reference, hypothesis),
        aligned_words(reference.split(), hypothesis.split()),
        is_loop(hypothesis, reference),
    )


def compare_systems(
    systems: Sequence[System],
    references: References,
    setting: Setting | None = None,
    sensitivity: Sequence[str] = (),
) -> Comparison:
    """The whole comparison; `sensitivity` are names of normalisers to be tried besides.

    Raises:
        ValueError: for less than two systems, two of one name, an unknown normaliser or field.
    """
    setting = setting or Setting()
    names = [system.name for system in systems]
    _refuse_names(names)
    scores = score_systems(systems, references, normaliser(setting.normaliser))
    utterances = sorted({utterance for of_system in scores.values() for utterance in of_system})
    if not utterances:
        raise ValueError("expected references with words; the normaliser left none")
    _refuse_strangers(scores)
    grouping = grouping_of(utterances, references, setting.block, shared_utterances(scores))
    table = _Table(scores, grouping, setting)
    strata = {}
    for name in _strata_names(references, setting.strata):
        groups = groups_of(utterances, references, name)
        if len(groups) > 1:
            strata[name] = table.groups(groups)
    rankings = rankings_of(scores, setting.normaliser)
    for name in sensitivity:
        if name != setting.normaliser:
            tried = score_systems(systems, references, normaliser(name))
            rankings += rankings_of(tried, name)
    whole = table.groups({WHOLE: utterances})[WHOLE]
    return Comparison(
        systems=names,
        unit=grouping.unit,
        units=len({grouping.unit_of[utterance] for utterance in utterances}),
        whole=whole,
        strata=strata,
        sensitivity=rankings,
        scores=scores,
        remarks=[
            *remarks_on(whole, references, scores),
            *remarks_on_coverage(systems, references, scores),
            *changes_of_order(rankings),
        ],
    )


def _refuse_names(names: Sequence[str]) -> None:
    if len(names) < 2:
        raise ValueError(f"expected at least two systems to compare; got {', '.join(names)}")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(
            f"expected another name for each system; two are called {', '.join(twice)}: give them "
            "names, as A=FILE B=FILE"
        )


def _refuse_strangers(scores: Scores) -> None:
    """Systems of which no two heard the same are nothing to compare."""
    for first, second in combinations(scores, 2):
        if scores[first].keys() & scores[second].keys():
            return
    heard = [f"{name} has {min(answers)}" for name, answers in scores.items() if answers]
    raise ValueError(
        f"expected utterances that two systems share; {', '.join(heard)}: were they run on the "
        "same recordings, and are these named alike?"
    )


def shared_utterances(scores: Scores) -> set[str]:
    """The utterances that at least two systems have, which alone are compared."""
    counts = Counter(utterance for of_system in scores.values() for utterance in of_system)
    return {utterance for utterance, systems in counts.items() if systems > 1}


def grouping_of(
    utterances: Sequence[str],
    references: References,
    block: str = "",
    compared: Collection[str] = (),
) -> Grouping:
    """Units of the bootstrap, and what is ranked by NIST's tests.

    `compared` are those of the utterances (default: all) whose speakers count in the choice.

    Raises:
        ValueError: for a field that an utterance lacks.
    """
    by_itself = {utterance: utterance for utterance in utterances}
    speakers = _values(utterances, references, SPEAKER)
    sources = _values(utterances, references, SOURCE)
    rank_unit = UTTERANCE
    ranked = by_itself
    compared_speakers = {speakers.get(utterance) for utterance in compared or utterances}
    if len(compared_speakers) > 1:  # of one speaker no test of ranks can tell anything
        rank_unit = SPEAKER
        ranked = speakers
    if block == UTTERANCE:
        return Grouping(UTTERANCE, by_itself, rank_unit, ranked)
    if block:
        blocks = _values(utterances, references, block)
        if not blocks:
            raise ValueError(
                f"--block {block}: expected a field that every utterance has; "
                + _who_lacks(utterances, references, block)
            )
        return Grouping(block, blocks, rank_unit, ranked)
    if len(compared_speakers) >= FEW_SPEAKERS:
        return Grouping(SPEAKER, speakers, rank_unit, ranked)
    if sources:
        return Grouping("sentence", sources, rank_unit, ranked)
    return Grouping(UTTERANCE, by_itself, rank_unit, ranked)


def _who_lacks(utterances: Iterable[str], references: References, name: str) -> str:
    """The utterances without a field, or the fields that are known where nobody has it."""
    known = references.known_fields()
    if name not in known:
        return f"known are {', '.join(known) or 'none'}"
    lacking = [one for one in utterances if name not in references.fields.get(one, {})]
    return f"{first_names(lacking)} have none"


def _values(utterances: Sequence[str], references: References, name: str) -> dict[str, str]:
    """A field by utterance; empty where one lacks it."""
    values = {}
    for utterance in utterances:
        value = references.fields.get(utterance, {}).get(name)
        if value is None:
            return {}
        values[utterance] = value
    return values


def _strata_names(references: References, asked: Sequence[str]) -> list[str]:
    """The fields that were asked for; else the speaker and the usual ones that are there.

    Raises:
        ValueError: for one that no utterance has.
    """
    known = references.known_fields()
    if not asked:
        return [name for name in (SPEAKER, *USUAL_STRATA) if name in known]
    for name in asked:
        if name not in known:
            raise ValueError(
                f"--strata {name}: expected a field of the utterances; known are "
                f"{', '.join(known) or 'none'}"
            )
    return list(asked)


def groups_of(utterances: Sequence[str], references: References, name: str) -> dict[str, list[str]]:
    """Utterances by the values of a field; numbers of many values in four bins of equal size."""
    values: dict[str, str] = {}
    for utterance in utterances:
        value = references.fields.get(utterance, {}).get(name)
        if value is not None:
            values[utterance] = value
    numbers = _numbers(values)
    if numbers and len(set(numbers.values())) > MOST_GROUPS:
        values = _bins(numbers)
    groups: dict[str, list[str]] = {}
    for utterance, value in values.items():
        groups.setdefault(value, []).append(utterance)
    return {value: groups[value] for value in sorted(groups, key=_natural)}


def _numbers(values: Mapping[str, str]) -> dict[str, float]:
    """The values as numbers; empty where one is none."""
    numbers = {}
    for utterance, value in values.items():
        try:
            numbers[utterance] = float(value)
        except ValueError:
            return {}
    return numbers


def _bins(numbers: Mapping[str, float]) -> dict[str, str]:
    """Names of bins with about as many utterances each; what is infinite has one of its own."""
    finite = [number for number in numbers.values() if math.isfinite(number)]
    edges = np.quantile(finite or [0.0], np.linspace(0, 1, BINS + 1))
    names = {}
    for utterance, number in numbers.items():
        if not math.isfinite(number):
            names[utterance] = str(number)
            continue
        index = min(int(np.searchsorted(edges, number, side="right")) - 1, BINS - 1)
        names[utterance] = f"{edges[index]:.3g} to {edges[index + 1]:.3g}"
    return names


def _natural(name: str) -> tuple[float, str]:
    try:
        number = float(name.split(" ")[0])
    except ValueError:
        return 0.0, name
    return (0.0 if math.isnan(number) else number), name


@dataclass(frozen=True)
class _Table:
    """Scores from which groups are made."""

    scores: Scores
    grouping: Grouping
    setting: Setting

    def groups(self, members: Mapping[str, Sequence[str]]) -> dict[str, Group]:
        """Rows and pairs of each group; the pairs of all groups are one family of tests."""
        scored = {}
        for group, utterances in members.items():
            for first, second in combinations(self.scores, 2):
                both = self._both(first, second, utterances)
                if both[0]:
                    scored[Pair(group, first, second)] = both
        results = decide_pairs(scored, self.grouping, self.setting.draws, self.setting.seed)
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
        drawn = draw(Paired(0 * errors, errors, words), self.setting.draws, self.setting.seed)
        return interval(drawn, len(errors), LEVEL)

    def _kaldi(self, system: str, utterances: Sequence[str]) -> BootCI | None:
        if not utterances:
            return None
        errors, words = self._counts(system, utterances)
        return bootci(np.array(errors), np.array(words), self.setting.draws, self.setting.seed)

    def _counts(self, system: str, utterances: Sequence[str]) -> tuple[list[float], list[float]]:
        """Word errors and words of each utterance of a system."""
        errors = []
        words = []
        for utterance in utterances:
            tally = self.scores[system][utterance].errors.words
            errors.append(float(tally.errors))
            words.append(float(tally.total))
        return errors, words


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


def remarks_on(whole: Group, references: References, scores: Scores) -> list[str]:
    """What is to be known beside the rates."""
    remarks = []
    for row in whole.rows:
        if row.missing:
            remarks.append(
                f"{row.system}: {row.missing} utterances are missing; pairs are on those that both "
                "have"
            )
        if row.loops:
            remarks.append(
                f"{row.system}: endless repetitions in {row.loops} of {row.errors.utterances} "
                "hypotheses; their insertions count in the rates"
            )
    for system, count in references.differing.items():
        remarks.append(
            f"{system}: {count} references differ from those of the first file, which count"
        )
    for system, of_system in scores.items():
        empty = sum(not scored.hypothesis for scored in of_system.values())
        if empty:
            remarks.append(f"{system}: {empty} hypotheses are empty")
    return remarks


def remarks_on_coverage(
    systems: Sequence[System], references: References, scores: Scores
) -> list[str]:
    """What is in no rate: results without a reference, references without a result or a word."""
    remarks = []
    answered: set[str] = set()
    scored: set[str] = set()
    for system in systems:
        answered.update(system.answers)
        scored.update(scores[system.name])
        strays = [name for name in system.answers if name not in references.texts]
        if strays:
            remarks.append(
                f"{system.name}: {len(strays)} of {len(system.answers)} results have no reference "
                f"and are in no rate ({first_names(strays)})"
            )
    unanswered = [name for name in references.texts if name not in answered]
    if unanswered:
        remarks.append(
            f"{len(unanswered)} of {len(references.texts)} references have no result of any "
            f"system and are in no rate ({first_names(unanswered)})"
        )
    wordless = [name for name in references.texts if name in answered and name not in scored]
    if wordless:
        written = ", ".join(
            f"{system.name} {plural(_words_written(system, wordless), 'word')}"
            for system in systems
        )
        remarks.append(
            f"{len(wordless)} references hold no word as they are scored; what was written for "
            f"them is in no rate ({first_names(wordless)}): {written}"
        )
    return remarks


def _words_written(system: System, utterances: Sequence[str]) -> int:
    """How many words a system wrote for these utterances."""
    answers = [system.answers[name] for name in utterances if name in system.answers]
    return sum(len((answer.hypothesis or "").split()) for answer in answers)
