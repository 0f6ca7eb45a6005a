"""What is to be known about a trial beside its rows: delays, wrong files, levels, endless texts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from statistics import median

from ctcasr.compare.alignment import LONGEST_LAG_S, UNLIKE
from ctcasr.compare.enhanced import OK
from ctcasr.compare.hearing import FAILED, Hearing
from ctcasr.compare.scene import Scene
from ctcasr.compare.significance import FEWEST_UNITS
from ctcasr.compare.summary import Summary
from ctcasr.compare.trial import Quality, Trial

MANY = 0.2  # share of a folder's files from which on it is not chance
NAMED = 3


def remarks_on_trial(trial: Trial) -> list[str]:
    """Sentences about the sounds and the hypotheses of a trial."""
    remarks = [*_lost_files(trial), *_delays(trial), *_strangers(trial), *_levels(trial)]
    return [*remarks, *_failures(trial), *_loops(trial)]


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


def _lost_files(trial: Trial) -> Iterator[str]:
    """Enhanced files that are not there or cannot be read, with the reason for the first."""
    lost: dict[str, list[Quality]] = {}
    scenes: Counter[str] = Counter()
    for quality in trial.qualities:
        scenes[quality.condition] += 1
        if quality.status != OK:
            lost.setdefault(quality.condition, []).append(quality)
    for condition, qualities in lost.items():
        yield (
            f"{condition}: {len(qualities)} of {scenes[condition]} files are missing or cannot be "
            f"read ({qualities[0].reason}); differences are on the scenes that are there"
        )


def _failures(trial: Trial) -> Iterator[str]:
    """Sounds at which a recogniser raised, with what it said first."""
    failed: dict[str, list[Hearing]] = {}
    sounds: Counter[str] = Counter()
    for hearing in trial.hearings:
        if hearing.status in (OK, FAILED):
            sounds[hearing.judge] += 1
        if hearing.status == FAILED:
            failed.setdefault(hearing.judge, []).append(hearing)
    for judge, hearings in failed.items():
        yield (
            f"{judge}: failed at {len(hearings)} of {sounds[judge]} sounds "
            f"(first {_what(hearings[0])})"
        )


def failed_judges(trial: Trial) -> list[str]:
    """Sentences about recognisers that wrote nothing for any sound, with what they said first."""
    heard = {hearing.judge for hearing in trial.hearings if hearing.errors is not None}
    sentences: dict[str, str] = {}
    for hearing in trial.hearings:
        if hearing.judge not in heard and hearing.status == FAILED:
            sentence = f"expected texts; it failed at every sound (first {_what(hearing)})"
            sentences.setdefault(hearing.judge, f"{hearing.judge}: {sentence}")
    return list(sentences.values())


def _what(hearing: Hearing) -> str:
    """Which sound it was, and what the recogniser said."""
    reason = hearing.reason.removeprefix(f"{hearing.judge}: ")
    return f"{hearing.scene.id} {hearing.condition}: {reason}"


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
        scenes = "1 scene was" if len(trial.quieter) == 1 else f"{len(trial.quieter)} scenes were"
        yield (
            f"{scenes} made quieter, all conditions of a scene alike, because one of them would "
            "have been beyond full scale"
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
