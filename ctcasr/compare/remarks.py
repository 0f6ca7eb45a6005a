"""What is to be known about a trial beside its rows: delays, wrong files, levels, endless texts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from statistics import median

from ctcasr.compare.alignment import LONGEST_LAG_S, UNLIKE
from ctcasr.compare.enhanced import CLEAN, NOISY, OK
from ctcasr.compare.hearing import FAILED, Hearing
from ctcasr.compare.results import first_names
from ctcasr.compare.scene import Scene
from ctcasr.compare.significance import FEWEST_UNITS
from ctcasr.compare.summary import Cell, Summary
from ctcasr.compare.trial import Quality, Trial
from ctcasr.scoring.figures import plural

MANY = 0.2  # share of a folder's files from which on it is not chance


def remarks_on_trial(trial: Trial) -> list[str]:
    """Sentences about the sounds and the hypotheses of a trial."""
    remarks: list[str] = []
    for files in _files_of(trial.qualities):
        remarks.extend(files.remarks())
    if trial.quieter:
        remarks.append(
            f"made quieter: {plural(len(trial.quieter), 'scene')}, all conditions of a scene "
            "alike, because one of them would have been beyond full scale"
        )
    for texts in _texts_of(trial.hearings):
        remarks.extend(texts.remarks())
    return remarks


def failed_judges(trial: Trial) -> list[str]:
    """Sentences about recognisers that wrote nothing for any sound, with what they said first."""
    sentences = []
    for texts in _texts_of(trial.hearings):
        if texts.failed and not texts.heard:
            sentences.append(
                f"{texts.judge}: expected texts; it failed at every sound "
                f"(first {_what(texts.failed[0])})"
            )
    return sentences


def empty_rates(trial: Trial, conditions: Sequence[str]) -> list[str]:
    """Sentences about conditions of which a recogniser's rate would be made of nothing."""
    by_cell: dict[Cell, list[Hearing]] = {}
    for hearing in trial.hearings:
        if hearing.condition in conditions:
            cell = Cell(hearing.judge, hearing.condition)
            by_cell.setdefault(cell, []).append(hearing)
    sentences = []
    for cell, hearings in by_cell.items():
        heard = [hearing.errors.words for hearing in hearings if hearing.errors is not None]
        if not heard:
            sentences.append(
                f"{cell.condition}: expected sounds that can be heard; none of {len(hearings)} can "
                f"({hearings[0].reason})"
            )
        elif not sum(words.total for words in heard):
            sentences.append(
                f"{cell.judge}, {cell.condition}: expected scenes whose texts have words, as this "
                f"recogniser writes them; none of the {len(heard)} that it heard has one"
            )
    return list(dict.fromkeys(sentences))  # a file that is lost is lost for every recogniser


def remarks_on_parts(dev_scenes: Sequence[Scene], test_scenes: Sequence[Scene]) -> list[str]:
    """Which of the scenes that were heard are in no rate."""
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
        if row.condition in (CLEAN, NOISY):
            continue
        units = 0 if row.against is None else row.against.units
        if units < FEWEST_UNITS:
            few.setdefault(units, []).append(f"{row.judge} {row.condition}")
    remarks = []
    for units, rows in few.items():
        remarks.append(
            f"no word for {first_names(rows)}: only {plural(units, summary.unit)} can be compared, "
            f"and {FEWEST_UNITS} are needed"
        )
    return remarks


@dataclass
class _Files:
    """The files of one condition."""

    condition: str
    there: list[Quality] = field(default_factory=list)
    lost: list[Quality] = field(default_factory=list)

    def remarks(self) -> Iterator[str]:
        """What is missing, late, or something else than its scene."""
        yield from self._lost()
        yield from self._delays()
        yield from self._strangers()

    def _lost(self) -> Iterator[str]:
        if self.lost:
            total = len(self.lost) + len(self.there)
            yield (
                f"{self.condition}: {len(self.lost)} of {total} files are missing or cannot be "
                f"read ({self.lost[0].reason}); differences are on the scenes that are there"
            )

    def _delays(self) -> Iterator[str]:
        far_s = []
        for quality in self.there:
            if abs(quality.lag_s) > LONGEST_LAG_S:
                far_s.append(quality.lag_s)
        if far_s:
            where = "late" if median(far_s) > 0 else "early"
            yield (
                f"{self.condition}: {len(far_s)} of {len(self.there)} files come "
                f"{1000 * abs(median(far_s)):.0f} ms {where} (median); they were moved back"
            )

    def _strangers(self) -> Iterator[str]:
        unlike = []
        for quality in self.there:
            if quality.resemblance < UNLIKE:
                unlike.append(quality.scene.id)
        if len(unlike) > MANY * len(self.there):
            yield (
                f"{self.condition}: {len(unlike)} of {len(self.there)} files are unlike both the "
                f"noisy and the clean sound of their scenes ({first_names(unlike)}): do they hold "
                "other sentences, or come much too late? Only networks that make speech anew do "
                "this rightly"
            )


def _files_of(qualities: Iterable[Quality]) -> list[_Files]:
    """All files by their conditions."""
    by_condition: dict[str, _Files] = {}
    for quality in qualities:
        files = by_condition.setdefault(quality.condition, _Files(quality.condition))
        if quality.status == OK:
            files.there.append(quality)
        else:
            files.lost.append(quality)
    return list(by_condition.values())


@dataclass
class _Texts:
    """What one recogniser wrote, and the sounds at which it raised."""

    judge: str
    heard: list[Hearing] = field(default_factory=list)
    failed: list[Hearing] = field(default_factory=list)

    def remarks(self) -> Iterator[str]:
        """Failures with what it said first, and hypotheses that repeat themselves."""
        if self.failed:
            sounds = len(self.heard) + len(self.failed)
            yield (
                f"{self.judge}: failed at {len(self.failed)} of {sounds} sounds "
                f"(first {_what(self.failed[0])})"
            )
        loops = []
        for hearing in self.heard:
            if hearing.is_loop:
                loops.append(f"{hearing.scene.id} {hearing.condition}")
        if loops:
            yield (
                f"{self.judge}: endless repetitions in {len(loops)} of {len(self.heard)} "
                f"hypotheses ({first_names(loops)}); their insertions count in the rates"
            )


def _texts_of(hearings: Iterable[Hearing]) -> list[_Texts]:
    """All that was written by its recogniser; what nobody could hear is left out."""
    by_judge: dict[str, _Texts] = {}
    for hearing in hearings:
        texts = by_judge.setdefault(hearing.judge, _Texts(hearing.judge))
        if hearing.status == FAILED:
            texts.failed.append(hearing)
        elif hearing.errors is not None:
            texts.heard.append(hearing)
    return list(by_judge.values())


def _what(hearing: Hearing) -> str:
    """Which sound it was, and what the recogniser said."""
    reason = hearing.reason.removeprefix(f"{hearing.judge}: ")
    return f"{hearing.scene.id} {hearing.condition}: {reason}"
