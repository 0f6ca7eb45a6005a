"""What a run directory tells about how a network was trained."""

from __future__ import annotations

import hashlib
import math
import statistics
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ctcasr.records import (
    SKIPPED_STEP,
    CheckRecord,
    EpochRecord,
    EventRecord,
    Reason,
    Record,
    StartRecord,
    read_records,
)
from ctcasr.train import read_settings

BATCH_LIMITS = ("batch_size", "batch_seconds")  # 0 means none
# Settings that say how a network was trained, in this order.
TOLD_SETTINGS = (
    "optimiser",
    "lr",
    "weight_decay",
    "schedule",
    "warmup",
    "clip",
    "accumulate",
    *BATCH_LIMITS,
    "augment",
    "hiss",
    "noise",
    "rooms",
    "splice",
    "speeds",
    "patience",
    "seed",
    "init",
    "listener",
    "listening",
    "video",
    "unseen",
)
ENDS = (Reason.FINISHED, Reason.INTERRUPTED, Reason.EARLY_STOP)
BEST_METRICS = ("wer", "cer", "accuracy", "si_sdr", "si_sdr_improvement")
Facts = dict[str, Any]  # plain data


@dataclass(frozen=True)
class _Run:
    """A run directory: its records by kind, and its settings."""

    records: Sequence[Record]
    start: StartRecord
    epochs: Sequence[EpochRecord]
    checks: Sequence[CheckRecord]
    events: Sequence[EventRecord]
    settings: Facts

    @staticmethod
    def read(folder: Path) -> _Run:
        records = read_records(folder)
        starts = [record for record in records if isinstance(record, StartRecord)]
        return _Run(
            records=records,
            start=starts[0] if starts else StartRecord(step=0),
            epochs=[record for record in records if isinstance(record, EpochRecord)],
            checks=[record for record in records if isinstance(record, CheckRecord)],
            events=[record for record in records if isinstance(record, EventRecord)],
            settings=_read_settings(folder / "settings.toml"),
        )

    @property
    def steps(self) -> int:
        return max((record.step for record in self.records), default=0)

    @property
    def epochs_done(self) -> int:
        return self.epochs[-1].epoch or 0 if self.epochs else 0

    @property
    def peak_memory_bytes(self) -> int | None:
        """Of the process, or of the device; None where the run did not measure it."""
        peaks = [epoch.memory_bytes for epoch in self.epochs if epoch.memory_bytes is not None]
        return max(peaks, default=None)

    @property
    def seconds_per_epoch(self) -> float | None:
        seconds = [record.seconds for record in self.epochs if record.seconds is not None]
        return statistics.median(seconds) if seconds else None

    def count(self, reasons: Collection[Reason]) -> int:
        return sum(event.reason in reasons for event in self.events)


def training(folder: Path, notes: Mapping[str, Any]) -> Facts | None:
    """Steps, epochs, times and settings of a run; None where the folder holds no records.

    Keys: epochs, steps, steps_check, seconds_per_epoch, seconds, device, threads, train_seconds,
    peak_memory_bytes, stopped, resumed, settings, manifest, and best_check where there is one.
    """
    if not (folder / "records.jsonl").is_file():
        return None
    run = _Run.read(folder)
    settings = {}
    for name in TOLD_SETTINGS:
        value = run.settings.get(name, "")
        is_no_limit = name in BATCH_LIMITS and value == 0
        if value != "" and not is_no_limit:
            settings[name] = value
    facts: Facts = {
        "epochs": run.epochs_done,
        "steps": run.steps,
        "steps_check": _check_steps(run, notes),
        "seconds_per_epoch": run.seconds_per_epoch,
        "seconds": run.records[-1].time_s if run.records else None,
        "device": run.start.device,
        "threads": run.start.threads,
        "train_seconds": run.start.train_seconds,
        "peak_memory_bytes": run.peak_memory_bytes,
        "stopped": _end(run.events),
        "resumed": run.count({Reason.RESUMED}),
        "settings": settings,
        "manifest": _manifest(run.settings, notes),
    }
    best_checks = [check for check in run.checks if check.best]
    if best_checks:
        facts["best_check"] = _best_check(best_checks[-1])
    return facts


def _best_check(check: CheckRecord) -> Facts:
    facts: Facts = {"step": check.step, "epoch": check.epoch}
    if check.loss is not None:
        facts["dev_loss"] = check.loss
    for name in BEST_METRICS:
        if name in check.metrics:
            facts[name] = check.metrics[name]
    return facts


def _check_steps(run: _Run, notes: Mapping[str, Any]) -> Facts:
    """Steps as epochs x ceil(N / (batch x accumulation)) says.

    Keys: expected, formula, skipped_steps, agrees; None where the log does not say enough.
    """
    accumulate = int(run.settings.get("accumulate", 1))
    batch_size = run.settings.get("batch_size")
    utterances = notes.get("utterances")
    batches = run.start.batches_per_epoch
    if batch_size and utterances:
        steps_per_epoch = math.ceil(utterances / (batch_size * accumulate))
        formula = f"{run.epochs_done} x ceil({utterances} / ({batch_size} x {accumulate}))"
    elif batches:
        steps_per_epoch = math.ceil(batches / accumulate)
        formula = f"{run.epochs_done} x ceil({batches} batches / {accumulate})"
    else:
        formula = "the log does not say how many batches an epoch has"
        return {"expected": None, "agrees": None, "formula": formula}
    expected = run.epochs_done * steps_per_epoch
    skipped = run.count(SKIPPED_STEP)
    return {
        "expected": expected,
        "formula": formula,
        "skipped_steps": skipped,
        "agrees": run.steps + skipped == expected,
    }


def _end(events: Iterable[EventRecord]) -> str:
    """How the run ended, by its last event."""
    end = "not finished"
    for event in events:
        if event.reason in ENDS:
            end = f"{event.reason.value}: {event.message}"
    return end


def _read_settings(path: Path) -> Facts:
    if not path.is_file():
        return {}
    return read_settings(path)


def _manifest(settings: Mapping[str, Any], notes: Mapping[str, Any]) -> Facts | None:
    """Name and hash of the training manifest, where it still lies."""
    name = settings.get("train")
    if not name:
        return {"name": notes["train"], "sha256": None} if "train" in notes else None
    path = Path(name)
    sha256 = None
    if path.is_file():
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    return {"name": path.name, "sha256": sha256}
