"""What is to be known about a trial beside its rows: delays, wrong files, levels, endless texts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import median

from ctcasr.compare.alignment import LONGEST_LAG_S, UNLIKE
from ctcasr.compare.enhanced import OK
from ctcasr.compare.scene import Scene
from ctcasr.compare.significance import FEWEST_UNITS
from ctcasr.compare.summary import Summary
from ctcasr.compare.trial import Quality, Trial

MANY = 0.2  # share of a folder's files from which on it is not chance
NAMED = 3


def remarks_on_trial(trial: Trial) -> list[str]:
    """Sentences about the sounds and the hypotheses of a trial."""
    return [*_delays(trial), *_strangers(trial), *_levels(trial), *_loops(trial)]


def remarks_on_parts(dev_scenes: Sequence[Scene], test_scenes: Sequence[Scene]) -> list[str]:
    """Which scenes are in no rate."""
    if not dev_scenes:
        return []
    total = len(dev_scenes) + len(test_scenes)
    return [
        f"{len(dev_scenes)} of {total} scenes chose the shares of noisy sound and are in no rate; "
        f"the rates are those of the other {len(test_scenes)} (--dev-share 0: of all)"
    ]


def remarks_on_units(summary: Summary) -> list[str]:
    """Conditions that have too few independent units for a word."""
    remarks = []
    for row in summary.rows:
        if row.against is not None and row.against.units < FEWEST_UNITS:
            remarks.append(
                f"{row.judge}, {row.condition}: no word, for only {row.against.units} "
                f"{summary.unit}s can be compared; {FEWEST_UNITS} are needed"
            )
    return remarks


def _by_condition(trial: Trial) -> dict[str, list[Quality]]:
    """What there was to hear of each condition."""
    qualities: dict[str, list[Quality]] = {}
    for quality in trial.qualities:
        if quality.status == OK:
            qualities.setdefault(quality.condition, []).append(quality)
    return qualities


def _delays(trial: Trial) -> Iterator[str]:
    for condition, qualities in _by_condition(trial).items():
        far_s = [quality.lag_s for quality in qualities if abs(quality.lag_s) > LONGEST_LAG_S]
        if far_s:
            where = "late" if median(far_s) > 0 else "early"
            yield (
                f"{condition}: {len(far_s)} of {len(qualities)} files come "
                f"{1000 * abs(median(far_s)):.0f} ms {where} (median); they were moved back"
            )


def _strangers(trial: Trial) -> Iterator[str]:
    for condition, qualities in _by_condition(trial).items():
        unlike = [quality.scene.id for quality in qualities if quality.resemblance < UNLIKE]
        if len(unlike) > MANY * len(qualities):
            yield (
                f"{condition}: {len(unlike)} of {len(qualities)} files are unlike both the noisy "
                f"and the clean sound of their scenes ({_names(unlike)}): do they hold other "
                "sentences, or come much too late? Only networks that make speech anew do this "
                "rightly"
            )


def _levels(trial: Trial) -> Iterator[str]:
    if trial.quieter:
        yield (
            f"{len(trial.quieter)} scenes were made quieter, all of their conditions alike, "
            "because one of them would have been beyond full scale"
        )


def _loops(trial: Trial) -> Iterator[str]:
    loops: dict[str, list[str]] = {}
    for hearing in trial.hearings:
        if hearing.is_loop:
            where = f"{hearing.scene.id} {hearing.condition}"
            loops.setdefault(hearing.judge, []).append(where)
    for judge, places in loops.items():
        yield (
            f"{judge}: {len(places)} hypotheses repeat themselves without end ({_names(places)}); "
            "their insertions count in the rates"
        )


def _names(names: Sequence[str]) -> str:
    dots = " ..." if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + dots
