"""Systems against each other: rates, strata, every pair, and what the rules of scoring change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations

from ctcasr.compare.coverage import remarks_on, remarks_on_coverage
from ctcasr.compare.normalisers import DEFAULT, normaliser
from ctcasr.compare.pairs import WHOLE
from ctcasr.compare.ranking import Ranking, changes_of_order, rankings_of
from ctcasr.compare.results import References, System
from ctcasr.compare.scores import Scores, score_systems, shared_utterances
from ctcasr.compare.significance import FEWEST_UNITS
from ctcasr.compare.strata import grouping_of, groups_of, strata_names
from ctcasr.compare.system_rows import Group, SystemTable
from ctcasr.scoring.bootstrap import DRAWS


@dataclass(frozen=True)
class ComparisonSetting:
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


def compare_systems(
    systems: Sequence[System],
    references: References,
    setting: ComparisonSetting | None = None,
    sensitivity: Sequence[str] = (),
) -> Comparison:
    """The whole comparison; `sensitivity` are names of normalisers to be tried besides.

    Raises:
        ValueError: for less than two systems, two of one name, an unknown normaliser or field.
    """
    setting = setting or ComparisonSetting()
    names = [system.name for system in systems]
    _refuse_names(names)
    scores = score_systems(systems, references, normaliser(setting.normaliser))
    utterances = sorted({utterance for of_system in scores.values() for utterance in of_system})
    if not utterances:
        raise ValueError("expected references with words; the normaliser left none")
    _refuse_strangers(scores)
    grouping = grouping_of(utterances, references, setting.block, shared_utterances(scores))
    table = SystemTable(scores, grouping, setting.draws, setting.seed)
    strata = {}
    for name in strata_names(references, setting.strata):
        groups = groups_of(utterances, references, name)
        if 1 < len(groups) < len(utterances):  # of one utterance each, nothing can be told
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
