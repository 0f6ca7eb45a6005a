"""What a trial found, as files: scores.json, and rows.csv with a line for every hearing."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from ctcasr.compare.hearing import Hearing
from ctcasr.compare.summary import Row, Summary
from ctcasr.compare.trial import Quality, Trial

_SCENE = ("source", "speaker", "snr_db", "interferer", "noise")
_COUNTS = ("words", "substitutions", "deletions", "insertions")
_SOUND = ("lag", "gain", "oddities")


def scores(summary: Summary, trial: Trial, facts: Mapping[str, Any]) -> dict[str, Any]:
    """Everything as plain data; rates are shares of 1.

    Keys beside those of `facts`: unit, units, rows, strata (kind -> stratum -> rows),
    observation_adding, metrics (by condition), metrics_strata, metric_failures, skipped.
    """
    strata: dict[str, dict[str, list[dict[str, Any]]]] = {}
    for kind, parts in summary.strata.items():
        strata[kind] = {name: _rows(rows) for name, rows in parts.items()}
    adding = []
    for choice in summary.choices:
        adding.append(
            {
                "recogniser": choice.judge,
                "enhancer": choice.enhancer,
                "share": choice.share,
                "dev_wer": {f"{share:g}": wer for share, wer in choice.dev_wer.items()},
            }
        )
    return {
        **facts,
        "unit": summary.unit,
        "units": summary.units,
        "rows": _rows(summary.rows),
        "strata": strata,
        "observation_adding": adding,
        "metrics": summary.sound_as_json(),
        "metrics_strata": summary.strata_sound_as_json(),
        "metric_failures": summary.failures,
        "skipped": [{"where": skip.where, "reason": skip.reason} for skip in trial.skipped],
    }


def write_scores(path: Path, plain: Mapping[str, Any]) -> Path:
    """Write what `scores` made."""
    text = json.dumps(plain, indent=1, ensure_ascii=False, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8")
    return path


def write_rows(path: Path, trial: Trial, test: Collection[str]) -> Path:
    """A CSV line for each scene, judge and condition: also for what was lost, with the reason.

    `test` are the names of the scenes that are scored; the others are the dev part.
    """
    qualities = {(quality.scene.id, quality.condition): quality for quality in trial.qualities}
    metrics = sorted({name for quality in trial.qualities for name in quality.scores})
    head = ["scene", "part", "recogniser", "condition", "status", "reason", *_SCENE]
    head += ["reference", "hypothesis", *_COUNTS, *_SOUND, *metrics, "metric_failures"]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(head)
        for hearing in trial.hearings:
            quality = qualities.get((hearing.scene.id, hearing.condition))
            part = "test" if hearing.scene.id in test else "dev"
            writer.writerow(_hearing_cells(hearing, part) + _quality_cells(quality, metrics))
    return path


def _hearing_cells(hearing: Hearing, part: str) -> list[Any]:
    """The scene, what was heard, and the counts of its words."""
    scene = hearing.scene
    counts: list[Any] = [""] * len(_COUNTS)
    if hearing.errors is not None:
        words = hearing.errors.words
        counts = [words.total, words.substitutions, words.deletions, words.insertions]
    return [
        scene.id,
        part,
        hearing.judge,
        hearing.condition,
        hearing.status,
        hearing.reason,
        scene.source,
        scene.speaker or "",
        "" if scene.snr_db is None else f"{scene.snr_db:g}",
        scene.stratum("interferer") or "",
        scene.stratum("noise") or "",
        hearing.reference,
        hearing.hypothesis,
        *counts,
    ]


def _quality_cells(quality: Quality | None, metrics: Sequence[str]) -> list[Any]:
    """How the sound was aligned, its metrics, and which of them failed."""
    if quality is None:
        return [""] * (len(_SOUND) + len(metrics) + 1)
    values = []
    for name in metrics:
        score = quality.scores.get(name)
        values.append("" if score is None else f"{score:.5g}")
    failures = [f"{name}: {reason}" for name, reason in quality.failed.items()]
    oddities = "; ".join(quality.oddities)
    return [quality.lag, f"{quality.gain:.6g}", oddities, *values, "; ".join(failures)]


def _rows(rows: Sequence[Row]) -> list[dict[str, Any]]:
    return [_row(row) for row in rows]


def _row(row: Row) -> dict[str, Any]:
    """A row as plain data; what is infinite is null."""
    low, high = row.interval
    return {
        "recogniser": row.judge,
        "condition": row.condition,
        "own_listener": row.own_listener,
        **row.errors.metrics(),
        "wer_interval_95": [low, high] if math.isfinite(low) else None,
        "wer_mean_of_utterances": row.mean_wer,
        "lost": dict(row.lost),
        "wer_lost_as_deletions": row.wer_lost_as_deletions,
        "against_noisy": None if row.against is None else row.against.as_json(),
        "sign_flip_p": row.sign_flip_p,
        "loops": row.loops,
    }
