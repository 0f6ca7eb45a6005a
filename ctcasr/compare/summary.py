"""From rows to answers: rates, strata, and which differences are real."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import mean, median

from ctcasr.compare.scene import STRATA, Scene
from ctcasr.compare.trial import Hearing, Quality, Trial, added
from ctcasr.scoring.bootstrap import (
    DRAWS,
    FEW_SPEAKERS,
    Difference,
    Paired,
    draw,
    holm,
    interval,
    unit_sums,
)
from ctcasr.scoring.errors import ErrorRates

NOISY = "noisy"


@dataclass(frozen=True)
class Row:
    """One judge and one condition over some scenes. `against` compares with noisy on the scenes that have both."""

    judge: str
    condition: str
    tally: ErrorRates
    interval: tuple[float, float]  # of the WER, 95 %
    lost: Mapping[str, int]  # scenes without a hypothesis, by status
    wer_lost_as_deletions: float  # WER if every word of these counted as deleted
    against: Difference | None = None
    own_listener: bool = False


@dataclass(frozen=True)
class Choice:
    """The share of noisy sound that an enhancer gets for one judge, and the WER of each share on the dev part."""

    judge: str
    enhancer: str
    share: float
    dev_wer: Mapping[float, float]


@dataclass(frozen=True)
class Summary:
    """All rows, overall and by stratum; the metrics of each condition."""

    unit: str  # "speaker" or "sentence": what the bootstrap draws
    units: int
    rows: list[Row]
    strata: dict[str, dict[str, list[Row]]]  # kind -> stratum -> rows
    choices: list[Choice]
    qualities: dict[str, dict[str, float | int]]  # condition -> mean and median metrics, counts
    failures: dict[str, dict[str, int]] = field(default_factory=dict)  # metric -> reason -> count
    strata_qualities: dict[str, dict[str, dict[str, dict[str, float | int]]]] = field(
        default_factory=dict
    )  # kind -> stratum -> as above


def unit_of(scenes: Iterable[Scene]) -> tuple[str, Callable[[Scene], str]]:
    """What is independent of what: speakers where there are at least 20 of them, else the sentences that were mixed."""
    speakers = {scene.speaker for scene in scenes}
    if None not in speakers and len(speakers) >= FEW_SPEAKERS:
        return "speaker", lambda scene: str(scene.speaker)
    return "sentence", lambda scene: scene.source


def choose(
    trial: Trial, dev: Sequence[Scene], enhancers: Sequence[str], shares: Sequence[float]
) -> list[Choice]:
    """For each judge and enhancer the share with the lowest WER on the dev part (the smaller one of equals); none without a dev part."""
    ids = {scene.id for scene in dev}
    choices = []
    for judge in dict.fromkeys(h.judge for h in trial.hearings):
        for name in enhancers:
            wer = {}
            for share in shares:
                tallies = [
                    h.tally
                    for h in trial.hearings
                    if h.judge == judge
                    and h.condition == added(name, share)
                    and h.tally is not None
                    and h.scene.id in ids
                ]
                if tallies:
                    wer[share] = sum(tallies, ErrorRates()).words.rate
            if wer:
                choices.append(
                    Choice(judge, name, min(wer, key=lambda share: (wer[share], share)), wer)
                )
    return choices


def summarise(
    trial: Trial,
    test: Sequence[Scene],
    enhancers: Mapping[str, str],
    judges: Mapping[str, str],
    choices: Sequence[Choice],
    draws: int = DRAWS,
    seed: int = 0,
) -> Summary:
    """Rows of the test part. `enhancers`: name -> fingerprint of its listener; `judges`: name -> fingerprint."""
    ids = {scene.id for scene in test}
    hearings = [h for h in trial.hearings if h.scene.id in ids]
    unit, key = unit_of(test)
    # Nothing added is the enhancer itself, everything added is noisy: neither is another condition to be tested.
    chosen = {(c.judge, added(c.enhancer, c.share)): c.enhancer for c in choices if 0 < c.share < 1}
    conditions = {
        judge: ["clean", NOISY, *enhancers, *(c for j, c in chosen if j == judge)]
        for judge in judges
    }
    by: dict[tuple[str, str], dict[str, Hearing]] = {}
    for h in hearings:
        if h.condition in conditions.get(h.judge, ()):
            by.setdefault((h.judge, h.condition), {})[h.scene.id] = h

    def own(judge: str, condition: str) -> bool:
        enhancer = chosen.get((judge, condition), condition)
        return bool(judges[judge]) and enhancers.get(enhancer, "") == judges[judge]

    def rows(inside: Callable[[Scene], bool], kinds: Sequence[Sequence[str]]) -> list[Row]:
        """The rows of some scenes; each of `kinds` is the judges whose tests make one family."""
        pairs = {
            at: _paired(heard, by[at[0], NOISY], inside, key)
            for at, heard in by.items()
            if at[1] != NOISY
        }
        tests: dict[tuple[str, str], Difference] = {}
        for family in kinds:
            part = {
                f"{i}": at
                for i, at in enumerate(at for at in pairs if at[0] in family and at[1] != "clean")
            }
            tests.update(
                {
                    part[i]: d
                    for i, d in holm({i: pairs[at] for i, at in part.items()}, draws, seed).items()
                }
            )
        tests.update(
            {
                at: holm({"": pair}, draws, seed)[""]
                for at, pair in pairs.items()
                if at[1] == "clean"
            }
        )
        return [
            _row(at, heard, inside, key, tests.get(at), own(*at), draws, seed)
            for at, heard in by.items()
        ]

    strata: dict[str, dict[str, list[Row]]] = {}
    for kind in STRATA:
        for name in sorted(
            {s for scene in test if (s := scene.stratum(kind)) is not None}, key=_natural
        ):
            inside = _in_stratum(kind, name)
            strata.setdefault(kind, {})[name] = rows(inside, [[judge] for judge in judges])
    whole = rows(lambda scene: True, [list(judges)])
    units = len({key(scene) for scene in test})
    tested = [q for q in trial.qualities if q.scene.id in ids]
    sounds = {
        kind: {
            name: _qualities([q for q in tested if q.scene.stratum(kind) == name]) for name in parts
        }
        for kind, parts in strata.items()
    }
    return Summary(
        unit, units, whole, strata, list(choices), _qualities(tested), _failures(tested), sounds
    )


def _in_stratum(kind: str, name: str) -> Callable[[Scene], bool]:
    return lambda scene: scene.stratum(kind) == name


def _paired(
    found: Mapping[str, Hearing],
    base: Mapping[str, Hearing],
    inside: Callable[[Scene], bool],
    key: Callable[[Scene], str],
) -> Paired:
    both = [
        (base[i].tally, h.tally, h.scene) for i, h in found.items() if i in base and inside(h.scene)
    ]
    kept = [(a.words, b.words, scene) for a, b, scene in both if a is not None and b is not None]
    return Paired(
        *unit_sums(
            [key(scene) for _, _, scene in kept],
            [a.errors for a, _, _ in kept],
            [b.errors for _, b, _ in kept],
            [a.total for a, _, _ in kept],
        )
    )


def _row(
    at: tuple[str, str],
    found: Mapping[str, Hearing],
    inside: Callable[[Scene], bool],
    key: Callable[[Scene], str],
    against: Difference | None,
    own: bool,
    draws: int,
    seed: int,
) -> Row:
    mine = [h for h in found.values() if inside(h.scene)]
    kept = [(h.scene, h.tally) for h in mine if h.tally is not None]
    tally = sum((t for _, t in kept), ErrorRates())
    lost: dict[str, int] = {}
    for h in mine:
        if h.tally is None:
            lost[h.status] = lost.get(h.status, 0) + 1
    missed = sum(len(h.scene.text.split()) for h in mine if h.tally is None)
    words = tally.words.total + missed
    errors, totals = unit_sums(
        [key(scene) for scene, _ in kept],
        [t.words.errors for _, t in kept],
        [t.words.total for _, t in kept],
    )
    bounds = interval(draw(Paired(0 * errors, errors, totals), draws, seed), len(errors), 0.05)
    return Row(
        *at,
        tally,
        bounds,
        lost,
        (tally.words.errors + missed) / words if words else 0.0,
        against,
        own,
    )


def _qualities(qualities: Sequence[Quality]) -> dict[str, dict[str, float | int]]:
    """Means and medians of each metric, and what had to be put right, by condition; improvements are over the same scene's noisy sound."""
    noisy = {q.scene.id: q.scores for q in qualities if q.condition == NOISY}
    found: dict[str, dict[str, float | int]] = {}
    for condition in dict.fromkeys(q.condition for q in qualities):
        mine = [q for q in qualities if q.condition == condition]
        row: dict[str, float | int] = {
            "scenes": len(mine),
            "lost": sum(q.status != "ok" for q in mine),
        }
        for metric in dict.fromkeys(name for q in mine for name in q.scores):
            values = [q.scores[metric] for q in mine if metric in q.scores]
            row[f"{metric}_mean"], row[f"{metric}_median"], row[f"{metric}_n"] = (
                mean(values),
                median(values),
                len(values),
            )
            gains = [
                q.scores[metric] - noisy[q.scene.id][metric]
                for q in mine
                if metric in q.scores and metric in noisy.get(q.scene.id, {})
            ]
            if condition != NOISY and gains:
                row[f"{metric}_gain_median"] = median(gains)
        for name in ("lagged", "rescaled", "odd"):
            row[name] = sum(
                {"lagged": q.lag != 0, "rescaled": q.gain != 1.0, "odd": bool(q.oddities)}[name]
                for q in mine
            )
        found[condition] = row
    return found


def _failures(qualities: Sequence[Quality]) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for quality in qualities:
        for metric, reason in quality.failed.items():
            counts = found.setdefault(metric, {})
            counts[reason] = counts.get(reason, 0) + 1
    return found


def _natural(name: str) -> tuple[float, str]:
    """Bins of SNR in order, everything else by name."""
    first = name.split(" ")[0]
    try:
        return float(first), name
    except ValueError:
        return 0.0, name
