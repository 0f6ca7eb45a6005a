"""What a trial found, on the terminal and in files: scores.json and one CSV line per utterance, judge and condition."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ctcasr.compare.summary import Row, Summary
from ctcasr.compare.trial import Trial
from ctcasr.scoring.bootstrap import Difference
from ctcasr.show.units import percent

COLOUR = {"helps": "bold green", "harms": "bold red", "undecided": "yellow"}


def table(summary: Summary, trial: Trial, remarks: Sequence[str] = ()) -> RenderableType:
    """The overall rows, one judge after another, with the words; what was lost; what else is to be known."""
    grid = Table(
        title=f"word error rate of {summary.rows[0].errors.utterances if summary.rows else 0} scenes, "
        f"{summary.units} {summary.unit}s",
        title_justify="left",
    )
    for name in (
        "recogniser",
        "condition",
        "WER",
        "CER",
        "S / D / I",
        "against noisy, 95 %",
        "",
        "empty",
        "lost",
    ):
        grid.add_column(
            name, justify="left" if name in ("recogniser", "condition", "") else "right"
        )
    last = ""
    for row in summary.rows:
        if last and row.judge != last:
            grid.add_section()
        words = row.errors.words
        word = row.against.word if row.against and row.condition != "clean" else ""
        grid.add_row(
            row.judge if row.judge != last else "",
            row.condition + (" (own listener)" if row.own_listener else ""),
            percent(words.rate, 2),
            percent(row.errors.chars.rate, 2),
            f"{words.substitutions} / {words.deletions} / {words.insertions}",
            against(row.against),
            Text(word, COLOUR.get(word, "")),
            str(row.errors.empty),
            str(sum(row.lost.values())),
        )
        last = row.judge
    lines = [Text(line, style="dim") for line in (*_notes(summary, trial), *remarks)]
    return Group(grid, _metrics(summary), *_gains(summary), *lines)


def against(found: Difference | None) -> str:
    """A difference of WER in points with its 95 % interval."""
    if found is None:
        return ""
    low, high = found.interval
    return f"{100 * found.difference:+.2f} [{100 * low:+.2f}, {100 * high:+.2f}]"


def _metrics(summary: Summary) -> Table:
    grid = Table(title="sound, medians (gain over noisy)", title_justify="left")
    names = {
        "si_sdr_db": "SI-SDR dB",
        "pesq": "PESQ",
        "stoi": "STOI",
        "estoi": "ESTOI",
        "split_snr_db": "noise left: SNR dB",
        "split_sar_db": "artifacts: SAR dB",
    }
    shown = {
        m: title
        for m, title in names.items()
        if any(f"{m}_median" in row for row in summary.sound_as_json().values())
    }
    grid.add_column("condition")
    for title in shown.values():
        grid.add_column(title, justify="right")
    grid.add_column("lagged / rescaled / odd", justify="right")
    for condition, row in summary.sound_as_json().items():
        cells = [
            f"{row[f'{m}_median']:.2f}"
            + (f" ({row[f'{m}_gain_median']:+.2f})" if f"{m}_gain_median" in row else "")
            if f"{m}_median" in row
            else "-"
            for m in shown
        ]
        grid.add_row(condition, *cells, f"{row['lagged']} / {row['rescaled']} / {row['odd']}")
    return grid


def _gains(summary: Summary) -> list[Table]:
    """What each enhancer brings in SI-SDR, by class of noise and whether it was in training."""
    parts = {
        name: found
        for kind in ("seen", "noise")
        for name, found in summary.strata_sound_as_json().get(kind, {}).items()
    }
    shown = [
        c
        for c in summary.sound_as_json()
        if any("si_sdr_db_gain_median" in found.get(c, {}) for found in parts.values())
    ]
    if not shown or len(parts) < 2:
        return []
    grid = Table(title="SI-SDR, median gain over noisy in dB", title_justify="left")
    for name in ("scenes with", "scenes", *shown):
        grid.add_column(name, justify="left" if name == "scenes with" else "right")
    for name, found in parts.items():
        cells = [
            f"{gain:+.2f}"
            if (gain := found.get(c, {}).get("si_sdr_db_gain_median")) is not None
            else "-"
            for c in shown
        ]
        grid.add_row(name, str(found["noisy"]["scenes"]), *cells)
    return [grid]


def _notes(summary: Summary, trial: Trial) -> list[str]:
    what = {0.0: "nothing", 1.0: "the noisy sound and none of the enhanced one"}
    notes = [
        f"{c.judge}, {c.enhancer}: observation adding, chosen on the dev part: "
        f"{what.get(c.share, f'{c.share:g} of the noisy sound')}"
        for c in summary.choices
    ]
    resolvable = [
        d.resolvable
        for row in summary.rows
        if (d := row.against) and row.condition != "clean" and d.resolvable is not None
    ]
    if resolvable:
        notes.append(
            f"smallest true difference that this set finds in 4 of 5 cases: {100 * min(resolvable):.2f} to "
            f"{100 * max(resolvable):.2f} points of WER"
        )
    tests = sum(row.against is not None and row.condition != "clean" for row in summary.rows)
    if tests > 1:
        notes.append(
            f"the words are by intervals that Holm's correction for {tests} tests widens; those shown are the 95 % ones"
        )
    notes += [f"left out: {skip.where}: {skip.reason}" for skip in trial.skipped[:5]]
    if len(trial.skipped) > 5:
        notes.append(f"... and {len(trial.skipped) - 5} more scenes left out")
    notes += [
        f"{metric}: failed for {count} sounds: {reason}"
        for metric, reasons in summary.failures.items()
        for reason, count in reasons.items()
    ]
    return notes


def scores(summary: Summary, trial: Trial, facts: Mapping[str, Any]) -> dict[str, Any]:
    """Everything as plain data; rates are shares of 1."""
    return {
        **facts,
        "unit": summary.unit,
        "units": summary.units,
        "rows": [_row(row) for row in summary.rows],
        "strata": {
            kind: {name: [_row(row) for row in rows] for name, rows in parts.items()}
            for kind, parts in summary.strata.items()
        },
        "observation_adding": [
            {
                "recogniser": c.judge,
                "enhancer": c.enhancer,
                "share": c.share,
                "dev_wer": {f"{share:g}": wer for share, wer in c.dev_wer.items()},
            }
            for c in summary.choices
        ],
        "metrics": summary.sound_as_json(),
        "metrics_strata": summary.strata_sound_as_json(),
        "metric_failures": summary.failures,
        "skipped": [{"where": skip.where, "reason": skip.reason} for skip in trial.skipped],
    }


def write_scores(path: Path, found: Mapping[str, Any]) -> Path:
    """scores.json."""
    path.write_text(
        json.dumps(found, indent=1, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8"
    )
    return path


def write_rows(path: Path, trial: Trial, test: set[str]) -> Path:
    """A CSV line for each scene, judge and condition: also for what was lost, with the reason."""
    quality = {(q.scene.id, q.condition): q for q in trial.qualities}
    metrics = sorted({name for q in trial.qualities for name in q.scores})
    head = [
        "scene",
        "part",
        "recogniser",
        "condition",
        "status",
        "reason",
        "source",
        "speaker",
        "snr_db",
        "interferer",
        "noise",
        "reference",
        "hypothesis",
        "words",
        "substitutions",
        "deletions",
        "insertions",
        "lag",
        "gain",
        "oddities",
        *metrics,
        "metric_failures",
    ]
    with path.open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file)
        out.writerow(head)
        for h in trial.hearings:
            scene, q = h.scene, quality.get((h.scene.id, h.condition))
            counts: list[Any] = (
                []
                if h.errors is None
                else [
                    h.errors.words.total,
                    h.errors.words.substitutions,
                    h.errors.words.deletions,
                    h.errors.words.insertions,
                ]
            )
            sound = ["", "", ""] if q is None else [q.lag, f"{q.gain:.6g}", "; ".join(q.oddities)]
            failed = (
                ""
                if q is None
                else "; ".join(f"{name}: {reason}" for name, reason in q.failed.items())
            )
            values = [
                "" if q is None or name not in q.scores else f"{q.scores[name]:.5g}"
                for name in metrics
            ]
            out.writerow(
                [
                    scene.id,
                    "test" if scene.id in test else "dev",
                    h.judge,
                    h.condition,
                    h.status,
                    h.reason,
                    scene.source,
                    scene.speaker or "",
                    "" if scene.snr_db is None else f"{scene.snr_db:g}",
                    scene.stratum("interferer") or "",
                    scene.stratum("noise") or "",
                    scene.text,
                    h.hypothesis,
                    *(counts or ["", "", "", ""]),
                    *sound,
                    *values,
                    failed,
                ]
            )
    return path


def _row(row: Row) -> dict[str, Any]:
    low, high = row.interval
    figures = row.errors.metrics()
    rates = {name: figures.pop(name) for name in ("wer", "cer")}
    return {
        "recogniser": row.judge,
        "condition": row.condition,
        "own_listener": row.own_listener,
        **{name: rate if rate != float("inf") else None for name, rate in rates.items()},
        "wer_interval_95": [low, high] if low != -float("inf") else None,
        **figures,
        "lost": dict(row.lost),
        "wer_lost_as_deletions": row.wer_lost_as_deletions,
        "against_noisy": None if row.against is None else row.against.as_json(),
    }
