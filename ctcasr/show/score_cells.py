"""The rows of a trial as texts, for the terminal and for the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ctcasr.compare.enhanced import CLEAN
from ctcasr.compare.quality import SoundSummary
from ctcasr.compare.significance import FEWEST_UNITS
from ctcasr.compare.summary import Row, Summary
from ctcasr.scoring.bootstrap import Difference
from ctcasr.scoring.figures import points_between, rounded, signed_number
from ctcasr.show.units import UNKNOWN, percent

# Noisy sound is speech and interferer alone: what an enhancer adds to no artifacts is no gain.
_WITHOUT_GAIN = ("split_sar_db",)
FIXED = "lagged / rescaled / odd"  # what had to be put right, in a column


@dataclass(frozen=True)
class RowCells:
    """One judge and one condition, ready to be printed; `word` is helps, harms, undecided or ""."""

    judge: str
    condition: str
    wer: str
    cer: str
    counts: str  # substitutions, deletions, insertions
    against: str
    word: str
    resolvable: str
    empty: str
    lost: str


def row_cells(row: Row) -> RowCells:
    """The texts of a row; the clean sound, which nobody can choose, has no word."""
    words = row.errors.words
    difference = row.against
    word = ""
    if difference is not None and row.condition != CLEAN:
        word = difference.word
    condition = row.condition
    if row.own_listener:
        condition += " (own listener)"
    resolvable = UNKNOWN
    if difference is not None and difference.resolvable:
        resolvable = f"{100 * difference.resolvable:.2f}"
    return RowCells(
        judge=row.judge,
        condition=condition,
        wer=percent(words.rate, 2),
        cer=percent(row.errors.chars.rate, 2),
        counts=f"{words.substitutions} / {words.deletions} / {words.insertions}",
        against=difference_text(difference),
        word=word,
        resolvable=resolvable,
        empty=str(row.errors.empty),
        lost=str(sum(row.lost.values())),
    )


def difference_text(difference: Difference | None) -> str:
    """A difference of WER in points with its 95 % interval; empty for none.

    Example:
        >>> found = Difference(-0.02, (-0.03, -0.01), (-0.03, -0.01), 0.01, 0.01, 50, "helps")
        >>> difference_text(found)
        '-2.00 [-3.00, -1.00]'
    """
    if difference is None:
        return ""
    return points_between(*difference.bounds)


def family_size(differences: Sequence[Difference]) -> int:
    """How many tests Holm's correction is about: those of enough units for a word."""
    return sum(difference.units >= FEWEST_UNITS for difference in differences)


def word_differences(summary: Summary) -> list[Difference]:
    """The differences that the words are about: all to noisy but those of the clean sound."""
    differences = []
    for row in summary.rows:
        if row.against is not None and row.condition != CLEAN:
            differences.append(row.against)
    return differences


def resolvable_of(differences: Sequence[Difference]) -> list[float]:
    """The smallest differences that can be found, of pairs that may have a word at all."""
    resolvable = []
    for found in differences:
        if found.resolvable and found.units >= FEWEST_UNITS:
            resolvable.append(found.resolvable)
    return resolvable


def measured(sound: Mapping[str, SoundSummary], titles: Mapping[str, str]) -> dict[str, str]:
    """Those of the metrics in `titles` that any condition has."""
    known = {name for summary in sound.values() for name in summary.metrics}
    return {name: title for name, title in titles.items() if name in known}


def sound_cells(sound: SoundSummary, metrics: Sequence[str]) -> list[str]:
    """The median of each metric with the gain over noisy, and what had to be put right."""
    cells = [median_text(sound, name) for name in metrics]
    return [*cells, fixed_text(sound)]


def fixed_text(sound: SoundSummary) -> str:
    """How many files were late or early, at another level, odd in any way."""
    return f"{sound.lagged} / {sound.rescaled} / {sound.odd}"


def median_text(sound: SoundSummary, name: str) -> str:
    """The median of a metric, and the median gain over noisy where that means something."""
    metric = sound.metrics.get(name)
    if metric is None:
        return UNKNOWN
    middle = rounded(metric.median, 2)
    if metric.gain_median is None or name in _WITHOUT_GAIN:
        return middle
    return f"{middle} ({signed_number(metric.gain_median, 2)})"


def failure_texts(failures: Mapping[str, Mapping[str, int]]) -> list[str]:
    """Each reason for which a metric failed, and how often."""
    texts = []
    for metric, reasons in failures.items():
        for reason, count in reasons.items():
            texts.append(f"{metric} failed for {count} sounds: {reason}")
    return texts
