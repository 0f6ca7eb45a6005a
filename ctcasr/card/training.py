"""What a run directory tells about how a network was trained."""

from __future__ import annotations

import hashlib
import math
import statistics
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ctcasr.records import Record, read_records

_TOLD = (
    "optimiser",
    "lr",
    "weight_decay",
    "schedule",
    "warmup",
    "clip",
    "accumulate",
    "batch_size",
    "augment",
    "speeds",
    "patience",
    "seed",
    "init",
    "listener",
    "listening",
    "video",
    "unseen",
)


def training(run: Path, notes: Mapping[str, Any]) -> dict[str, Any] | None:
    """Steps, epochs, times and settings of a run; None where the folder holds no records."""
    if not (run / "records.jsonl").is_file():
        return None
    records = read_records(run)
    settings = _settings(run)
    start = next((r.data for r in records if r.kind == "start"), {})
    epochs = [r for r in records if r.kind == "epoch"]
    steps = max((r.step for r in records), default=0)
    done = int(epochs[-1].data.get("epoch") or 0) if epochs else 0
    facts: dict[str, Any] = {
        "epochs": done,
        "steps": steps,
        "steps_check": _check(records, start, settings, notes, done, steps),
        "seconds_per_epoch": statistics.median(float(r.data["seconds"]) for r in epochs)
        if epochs
        else None,
        "seconds": float(records[-1].data.get("time_s") or 0.0) if records else None,
        "device": start.get("device"),
        "threads": start.get("threads"),
        "train_seconds": start.get("train_seconds"),
        "peak_memory_bytes": start.get("expected_memory_bytes"),
        "stopped": _end(records),
        "resumed": sum(r.kind == "event" and r.data.get("what") == "resumed" for r in records),
        "settings": {key: settings[key] for key in _TOLD if settings.get(key, "") != ""},
        "manifest": _manifest(settings, notes),
    }
    best = [r for r in records if r.kind == "check" and r.data.get("best")]
    if best:
        names = ("dev_loss", "wer", "cer", "accuracy", "si_sdr", "si_sdr_improvement")
        facts["best_check"] = {
            "step": best[-1].step,
            "epoch": best[-1].data.get("epoch"),
            **{name: best[-1].data[name] for name in names if name in best[-1].data},
        }
    return facts


def _check(
    records: Sequence[Record],
    start: Mapping[str, Any],
    settings: Mapping[str, Any],
    notes: Mapping[str, Any],
    epochs: int,
    steps: int,
) -> dict[str, Any]:
    """Steps as epochs x ceil(N / (batch x accumulation)) says, and why the log differs, if it does."""
    accumulate, size, heard = (
        int(settings.get("accumulate", 1)),
        settings.get("batch_size"),
        notes.get("utterances"),
    )
    if size and heard:
        each, formula = (
            math.ceil(heard / (size * accumulate)),
            f"{epochs} x ceil({heard} / ({size} x {accumulate}))",
        )
    elif start.get("batches_per_epoch"):
        each = math.ceil(start["batches_per_epoch"] / accumulate)
        formula = f"{epochs} x ceil({start['batches_per_epoch']} batches / {accumulate})"
    else:
        return {
            "expected": None,
            "agrees": None,
            "formula": "the log does not say how many batches an epoch has",
        }
    skipped = sum(r.kind == "event" and r.data.get("what") == "skipped-step" for r in records)
    return {
        "expected": epochs * each,
        "formula": formula,
        "skipped_steps": skipped,
        "agrees": steps + skipped == epochs * each,
    }


def _end(records: Sequence[Record]) -> str:
    """How the run ended, by its last event."""
    ends = [
        r.data
        for r in records
        if r.kind == "event" and r.data.get("what") in ("finished", "interrupted", "early-stop")
    ]
    return f"{ends[-1]['what']}: {ends[-1].get('message', '')}" if ends else "not finished"


def _settings(run: Path) -> dict[str, Any]:
    path = run / "settings.toml"
    return tomllib.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def _manifest(settings: Mapping[str, Any], notes: Mapping[str, Any]) -> dict[str, Any] | None:
    """Name and hash of the training manifest, where it still lies."""
    name = settings.get("train")
    if not name:
        return {"name": notes["train"], "sha256": None} if "train" in notes else None
    path = Path(name)
    return {
        "name": path.name,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None,
    }
