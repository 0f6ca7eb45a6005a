"""What is to be known about a trial beside its rows: delays, wrong files, levels, endless texts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import median

from ctcasr.compare.alignment import LONGEST_LAG_S, UNLIKE
from ctcasr.compare.enhanced import CLEAN, OK
from ctcasr.compare.hearing import FAILED, Hearing
from ctcasr.compare.results import first_names
from ctcasr.compare.scene import Scene
from ctcasr.compare.significance import FEWEST_UNITS
from ctcasr.compare.summary import Summary
from ctcasr.compare.trial import Quality, Trial
from ctcasr.scoring.figures import plural

MANY = 0.2  # share of a folder's files from which on it is not chance


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
    """Conditions that have too few independent units for a word, by their number."""
    few: dict[int, list[str]] = {}
    for row in summary.rows:
        if row.condition == CLEAN or row.against is None:
            continue
        if row.against.units < FEWEST_UNITS:
            few.setdefault(row.against.units, []).append(f"{row.judge} {row.condition}")
    remarks = []
    for units, rows in few.items():
        remarks.append(
            f"no word for {first_names(rows)}: only {plural(units, summary.unit)} can be compared, "
            f"and {FEWEST_UNITS} are needed"
        )
    return remarks


def _by_condition(trial: Trial) -> dict[str, list[Quality]]:
    """What there was to hear of each condition, what is lost included."""
    qualities: dict[str, list[Quality]] = {}
    for quality in trial.qualities:
        qualities.setdefault(quality.condition, []).append(quality)
    return qualities


def _by_judge(trial: Trial) -> dict[str, list[Hearing]]:
    """What each recogniser was given to hear."""
    hearings: dict[str, list[Hearing]] = {}
    for hearing in trial.hearings:
        hearings.setdefault(hearing.judge, []).append(hearing)
    return hearings


def _lost_files(trial: Trial) -> Iterator[str]:
    """Enhanced files that are not there or cannot be read, with the reason for the first."""
    for condition, qualities in _by_condition(trial).items():
        lost = [quality for quality in qualities if quality.status != OK]
        if lost:
            yield (
                f"{condition}: {len(lost)} of {len(qualities)} files are missing or cannot be "
                f"read ({lost[0].reason}); differences are on the scenes that are there"
            )


def _delays(trial: Trial) -> Iterator[str]:
    """Files that had to be moved further than a network's own delay."""
    for condition, qualities in _by_condition(trial).items():
        there = [quality for quality in qualities if quality.status == OK]
        far_s = [quality.lag_s for quality in there if abs(quality.lag_s) > LONGEST_LAG_S]
        if far_s:
            where = "late" if median(far_s) > 0 else "early"
            yield (
                f"{condition}: {len(far_s)} of {len(there)} files come "
                f"{1000 * abs(median(far_s)):.0f} ms {where} (median); they were moved back"
            )


def _strangers(trial: Trial) -> Iterator[str]:
    """Files that may hold something else than their scenes."""
    for condition, qualities in _by_condition(trial).items():
        there = [quality for quality in qualities if quality.status == OK]
        unlike = [quality.scene.id for quality in there if quality.resemblance < UNLIKE]
        if len(unlike) > MANY * len(there):
            yield (
                f"{condition}: {len(unlike)} of {len(there)} files are unlike both the noisy "
                f"and the clean sound of their scenes ({first_names(unlike)}): do they hold other "
                "sentences, or come much too late? Only networks that make speech anew do this "
                "rightly"
            )


def _levels(trial: Trial) -> Iterator[str]:
    if trial.quieter:
        yield (
            f"made quieter: {plural(len(trial.quieter), 'scene')}, all conditions of a scene "
            "alike, because one of them would have been beyond full scale"
        )


def _failures(trial: Trial) -> Iterator[str]:
    """Sounds at which a recogniser raised, with what it said first."""
    for judge, hearings in _by_judge(trial).items():
        sounds = [hearing for hearing in hearings if hearing.status in (OK, FAILED)]
        failed = [hearing for hearing in sounds if hearing.status == FAILED]
        if failed:
            yield (
                f"{judge}: failed at {len(failed)} of {len(sounds)} sounds "
                f"(first {_what(failed[0])})"
            )


def failed_judges(trial: Trial) -> list[str]:
    """Sentences about recognisers that wrote nothing for any sound, with what they said first."""
    sentences = []
    for judge, hearings in _by_judge(trial).items():
        failed = [hearing for hearing in hearings if hearing.status == FAILED]
        heard = any(hearing.errors is not None for hearing in hearings)
        if failed and not heard:
            reason = f"expected texts; it failed at every sound (first {_what(failed[0])})"
            sentences.append(f"{judge}: {reason}")
    return sentences


def _what(hearing: Hearing) -> str:
    """Which sound it was, and what the recogniser said."""
    reason = hearing.reason.removeprefix(f"{hearing.judge}: ")
    return f"{hearing.scene.id} {hearing.condition}: {reason}"


def _loops(trial: Trial) -> Iterator[str]:
    """Hypotheses that repeat themselves, by recogniser."""
    for judge, hearings in _by_judge(trial).items():
        heard = [hearing for hearing in hearings if hearing.errors is not None]
        loops = [hearing for hearing in heard if hearing.is_loop]
        if loops:
            places = [f"{hearing.scene.id} {hearing.condition}" for hearing in loops]
            yield (
                f"{judge}: endless repetitions in {len(loops)} of {len(heard)} hypotheses "
                f"({first_names(places)}); their insertions count in the rates"
            )
