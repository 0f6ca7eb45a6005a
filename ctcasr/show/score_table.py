"""What a trial found, as tables on the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ctcasr.compare.enhanced import NOISY
from ctcasr.compare.quality import SoundSummary
from ctcasr.compare.summary import Summary
from ctcasr.compare.trial import Trial
from ctcasr.scoring.bootstrap import HARMS, HELPS, UNDECIDED
from ctcasr.scoring.figures import signed_number
from ctcasr.show.score_cells import (
    FIXED,
    failure_texts,
    family_size,
    measured,
    resolvable_of,
    row_cells,
    sound_cells,
    word_differences,
)
from ctcasr.show.units import UNKNOWN

COLOURS = {HELPS: "bold green", HARMS: "bold red", UNDECIDED: "yellow"}
_METRICS = {
    "si_sdr_db": "SI-SDR dB",
    "pesq": "PESQ",
    "stoi": "STOI",
    "estoi": "ESTOI",
    "dnsmos_ovrl": "DNSMOS",
    "split_snr_db": "noise left: SNR dB",
    "split_sar_db": "artifacts: SAR dB",
}
_GAINED = "si_sdr_db"  # the metric whose gains are told by class of noise
_GAIN_STRATA = ("seen", "noise")
_SKIPPED = 5  # scenes left out that are named


def table(summary: Summary, trial: Trial, remarks: Sequence[str] = ()) -> RenderableType:
    """The overall rows with their words, the sound, what was lost, and what else is to be known."""
    lines = [Text(line, style="dim") for line in (*_notes(summary, trial), *remarks)]
    return Group(_rates(summary), _sound(summary), *_gains(summary), *lines)


def _rates(summary: Summary) -> Table:
    """The rows, one judge after another."""
    scenes = summary.rows[0].errors.utterances if summary.rows else 0
    title = f"word error rate of {scenes} scenes, {summary.units} {summary.unit}s"
    grid = Table(title=title, title_justify="left")
    grid.add_column("recogniser")
    grid.add_column("condition")
    for name in ("WER", "CER", "S / D / I", "against noisy, 95 %"):
        grid.add_column(name, justify="right")
    grid.add_column("")
    grid.add_column("empty", justify="right")
    grid.add_column("lost", justify="right")
    last_judge = ""
    for row in summary.rows:
        cells = row_cells(row)
        if last_judge and row.judge != last_judge:
            grid.add_section()
        grid.add_row(
            cells.judge if row.judge != last_judge else "",
            cells.condition,
            cells.wer,
            cells.cer,
            cells.counts,
            cells.against,
            Text(cells.word, COLOURS.get(cells.word, "")),
            cells.empty,
            cells.lost,
        )
        last_judge = row.judge
    return grid


def _sound(summary: Summary) -> Table:
    """The metrics of each condition."""
    grid = Table(title="sound, medians (gain over noisy)", title_justify="left")
    metrics = measured(summary.sound, _METRICS)
    grid.add_column("condition")
    for title in (*metrics.values(), FIXED):
        grid.add_column(title, justify="right")
    for condition, sound in summary.sound.items():
        grid.add_row(condition, *sound_cells(sound, list(metrics)))
    return grid


def _gains(summary: Summary) -> list[Table]:
    """What each enhancer brings in SI-SDR, by class of noise and whether it was in training."""
    strata: dict[str, dict[str, SoundSummary]] = {}
    for kind in _GAIN_STRATA:
        strata.update(summary.strata_sound.get(kind, {}))
    conditions = []
    for condition in summary.sound:
        if any(_gain(sounds, condition) != UNKNOWN for sounds in strata.values()):
            conditions.append(condition)
    if not conditions or len(strata) < 2:
        return []
    grid = Table(title="SI-SDR, median gain over noisy in dB", title_justify="left")
    grid.add_column("scenes with")
    for name in ("scenes", *conditions):
        grid.add_column(name, justify="right")
    for name, sounds in strata.items():
        gains = [_gain(sounds, condition) for condition in conditions]
        grid.add_row(name, str(sounds[NOISY].scenes), *gains)
    return [grid]


def _gain(sounds: dict[str, SoundSummary], condition: str) -> str:
    """The median gain of a condition in dB, as text."""
    sound = sounds.get(condition)
    metric = None if sound is None else sound.metrics.get(_GAINED)
    if metric is None or metric.gain_median is None:
        return UNKNOWN
    return signed_number(metric.gain_median, 2)


def _notes(summary: Summary, trial: Trial) -> list[str]:
    """What the numbers rest on."""
    notes = []
    for choice in summary.choices:
        notes.append(
            f"{choice.judge}, {choice.enhancer}: observation adding, chosen on the dev part: "
            f"{_share_text(choice.share)}"
        )
    differences = word_differences(summary)
    resolvable = resolvable_of(differences)
    if resolvable:
        smallest = f"{100 * min(resolvable):.2f}"
        largest = f"{100 * max(resolvable):.2f}"
        span = smallest if smallest == largest else f"{smallest} to {largest}"
        notes.append(
            f"smallest true difference that this set finds in 4 of 5 cases: {span} points of WER"
        )
    tests = family_size(differences)
    if tests > 1:
        notes.append(
            f"the words are by intervals that Holm's correction for {tests} tests "
            "widens, and by sign flips, which must agree; the intervals shown are the 95 % ones"
        )
    for skip in trial.skipped[:_SKIPPED]:
        notes.append(f"left out: {skip.where}: {skip.reason}")
    if len(trial.skipped) > _SKIPPED:
        notes.append(f"... and {len(trial.skipped) - _SKIPPED} more scenes left out")
    return notes + failure_texts(summary.failures)


def _share_text(share: float) -> str:
    """What a share of noisy sound means."""
    if share == 0:
        return "nothing"
    if share == 1:
        return "the noisy sound and none of the enhanced one"
    return f"{share:g} of the noisy sound"
