"""What a training run tells: typed records, each a line of records.jsonl before anybody sees it.

One schema for the trainer, which writes them, and for everybody who reads them (diagnosis, views,
cards). A line is one flat JSON object with `kind` and `step`; what a line of an older run holds
under another name is read as what it means today.
"""

from __future__ import annotations

import contextlib
import json
import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from enum import StrEnum
from pathlib import Path
from typing import IO, Any, ClassVar, TypeVar

from ctcasr.kernels.atomic import write_text

# Version of the records. 1 had `what` for the reason of an event, and fields that repeat others.
SCHEMA = 2


class Reason(StrEnum):
    """Why an event was written. What reads records compares these, never the message for people."""

    RESUMED = "resumed"
    FINISHED = "finished"
    EARLY_STOP = "early-stop"  # so many checks without a better one as `patience` says
    INTERRUPTED = "interrupted"
    UNREADABLE = "unreadable"  # utterances whose files cannot be read
    TEXT_UNCOVERED = "text-uncovered"  # utterances whose text has characters outside the alphabet
    INFEASIBLE = "infeasible"  # utterances with fewer frames than their text needs
    TOO_LARGE = "too-large"  # utterances that do not fit into memory, even alone
    OUT_OF_MEMORY = "out-of-memory"  # batches that were split
    # The next four: a step was not taken.
    LOSS_NOT_FINITE = "loss-not-finite"
    GRADIENT_NOT_FINITE = "gradient-not-finite"
    NO_ALIGNMENT = "no-alignment"  # no utterance of the batch has one
    NOTHING_FITS = "nothing-fits"  # no utterance of the batch fits into memory
    NO_GRADIENT = "no-gradient"  # a step was taken though no parameter had one
    ORDER_CHANGED = "order-changed"  # the batches are others than when the run was stopped
    DEV_CHANGED = "dev-changed"  # the dev part is another than when the run was stopped
    PLAN_CHANGED = "plan-changed"  # so many epochs are planned now, and no longer as many as before
    NO_BEST = "no-best"  # no check had a score, so that best.pt is the last network
    LOSS_FAILED = "loss-failed"  # the loss refused its arguments; training ended
    THREADS_CHANGED = "threads-changed"  # others came to this machine, or went
    OTHER = "other"  # of an older run, or of somebody else's


SKIPPED_STEP = frozenset(
    {
        Reason.LOSS_NOT_FINITE,
        Reason.GRADIENT_NOT_FINITE,
        Reason.NO_ALIGNMENT,
        Reason.NOTHING_FITS,
    }
)
"""Reasons of events that tell of a step that was not taken."""

R = TypeVar("R", bound="Record")


@dataclass(frozen=True, kw_only=True)
class Record:
    """What all records have: the optimiser steps done, and the seconds trained by then."""

    kind: ClassVar[str] = ""
    rest: ClassVar[str] = ""  # the field that holds what has no field of its own

    step: int
    time_s: float = 0.0

    def as_json(self) -> dict[str, Any]:
        """The record as one flat object; what a task tells never takes the place of a field."""
        plain: dict[str, Any] = {"kind": self.kind}
        own = [entry.name for entry in fields(self) if entry.name != self.rest]
        for name in own:
            value = getattr(self, name)
            if value is not None:
                plain[name] = value
        rest = getattr(self, self.rest) if self.rest else {}
        for name, value in rest.items():
            if name not in own:
                plain[name] = value
        return plain

    @property
    def data(self) -> dict[str, Any]:
        """The flat object without kind and step, for those who look fields up by name."""
        plain = self.as_json()
        del plain["kind"], plain["step"]
        return plain

    def number(self, name: str) -> float:
        """A field as a float, by name; NaN where it is absent or no number."""
        return as_number(self.data.get(name))


@dataclass(frozen=True, kw_only=True)
class StartRecord(Record):
    """What is about to happen, and what it is expected to take."""

    kind: ClassVar[str] = "start"
    rest: ClassVar[str] = "details"

    schema: int = 1
    network: str | None = None
    parameters: int | None = None
    processes: int | None = None
    device: str | None = None
    threads: int | None = None
    epochs: int | None = None
    steps: int | None = None
    batches_per_epoch: int | None = None
    train_seconds: float | None = None
    dev_seconds: float | None = None
    expected_epoch_s: float | None = None
    expected_total_s: float | None = None
    expected_memory_bytes: int | None = None
    budget: str | None = None  # time that the epochs are fitted to, as 30m; None without one
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class StepRecord(Record):
    """A few optimiser steps summed up; `details` are what the task says of the last of them."""

    kind: ClassVar[str] = "step"
    rest: ClassVar[str] = "details"

    epoch: int | None = None
    steps: int | None = None
    loss: float | None = None  # mean per utterance
    lr: float | None = None
    grad_norm: float | None = None  # of the last step, before clipping
    clip_scale: float | None = None  # mean of what clipping multiplied gradients by
    update_ratio: float | None = None  # length of the last step over that of the weights it moved
    audio_s: float | None = None
    step_s: float | None = None
    wait_s: float | None = None
    infeasible: int | None = None  # utterances without an alignment that were left out
    no_path: int | None = None  # rows of the last batch without an alignment, by the loss's report
    halved: int | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class CheckRecord(Record):
    """A score on the dev part: the loss, `metrics` by name, and what the verdict reads."""

    kind: ClassVar[str] = "check"
    rest: ClassVar[str] = "metrics"

    epoch: int | None = None
    loss: float | None = None  # mean per utterance
    best: bool = False
    metrics: Mapping[str, float] = field(default_factory=dict)
    samples: Sequence[Mapping[str, Any]] = ()
    report: Mapping[str, float] = field(default_factory=dict)
    evidence: Mapping[str, Any] = field(default_factory=dict)
    verdict: Mapping[str, Any] | None = None

    @property
    def scored_on(self) -> str:
        """What was scored, for people: a watched loop may have no dev part."""
        return "training rows" if self.metrics.get("on_training_rows") else "the dev part"


@dataclass(frozen=True, kw_only=True)
class EpochRecord(Record):
    """The end of an epoch; with a time budget the planned epochs and steps may have changed."""

    kind: ClassVar[str] = "epoch"
    rest: ClassVar[str] = "details"

    epoch: int | None = None
    seconds: float | None = None
    train_loss: float | None = None
    epochs: int | None = None
    steps: int | None = None
    memory_bytes: int | None = None  # peak of the process, or of the device, so far
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class EventRecord(Record):
    """Something that happened: a reason for programs, a message for people, ids of utterances."""

    kind: ClassVar[str] = "event"
    rest: ClassVar[str] = "details"

    reason: Reason = Reason.OTHER
    message: str = ""
    ids: Sequence[str] = ()
    details: Mapping[str, Any] = field(default_factory=dict)

    @property
    def skipped_step(self) -> bool:
        """Whether a step was not taken."""
        return self.reason in SKIPPED_STEP


KINDS: dict[str, type[Record]] = {
    kind.kind: kind for kind in (StartRecord, StepRecord, CheckRecord, EpochRecord, EventRecord)
}


def record_from(entry: Mapping[str, Any]) -> Record:
    """The record that a flat object tells, of this schema or an older one.

    Raises:
        KeyError, TypeError, ValueError: where it tells none.

    Example:
        >>> record_from({"kind": "check", "step": 40, "dev_loss": 51.0, "wer": 0.92}).loss
        51.0
    """
    values = dict(entry)
    kind = KINDS[str(values.pop("kind"))]
    values["step"] = int(values.get("step", 0))
    _translate_old(kind, values)
    return _fill(kind, values)


def _translate_old(kind: type[Record], values: dict[str, Any]) -> None:
    """Give what schema 1 wrote the names of today, in place."""
    if kind is StepRecord and "left_out" in values:
        # The report's count of rows without a path stood where the trainer's count stands today.
        values.setdefault("no_path", values.get("infeasible"))
        values["infeasible"] = values.pop("left_out")
    if kind is CheckRecord:
        dev_loss = values.pop("dev_loss", None)
        values.setdefault("loss", dev_loss)
        values.update(values.pop("figures", {}))
    if kind is EventRecord:
        what = values.pop("what", "")
        reason = values.get("reason") or _old_reason(str(what), str(values.get("message", "")))
        known = reason in Reason._value2member_map_
        values["reason"] = Reason(reason) if known else Reason.OTHER


def _old_reason(what: str, message: str) -> str:
    """The reason of an event of schema 1, which told skipped steps apart by their message only."""
    if what == "unreadable" and "in the alphabet" in message:
        return Reason.TEXT_UNCOVERED
    if what != "skipped-step":
        return what
    if "has an alignment" in message:
        return Reason.NO_ALIGNMENT
    if "fits into memory" in message:
        return Reason.NOTHING_FITS
    return Reason.LOSS_NOT_FINITE if "loss is not finite" in message else Reason.GRADIENT_NOT_FINITE


def _fill(kind: type[R], values: Mapping[str, Any]) -> R:
    """`kind` of values by field; what a field cannot hold is left out, as if nobody wrote it."""
    own = {entry.name: str(entry.type) for entry in fields(kind)}
    known: dict[str, Any] = {}
    rest: dict[str, Any] = {}
    for name, value in values.items():
        if name not in own or name == kind.rest:
            rest[name] = value
            continue
        fitting = _fitting(value, own[name])
        if fitting is not None:
            known[name] = fitting
    nested = rest.pop(kind.rest, None)
    if isinstance(nested, Mapping):
        rest = {**nested, **rest}
    known[kind.rest] = rest
    return kind(**known)


def _fitting(value: Any, annotation: str) -> Any:
    """A value as a field of this type holds it; None where it cannot.

    Numbers that strict JSON wrote as words are numbers again.
    """
    outer, _, _ = annotation.removesuffix(" | None").partition("[")
    if outer in ("float", "int"):
        return _fitting_number(value, outer, may_be_absent=annotation != outer)
    held = {"Mapping": Mapping, "Sequence": list | tuple, "str": str, "bool": bool}
    return value if isinstance(value, held.get(outer, object)) else None


def _fitting_number(value: Any, kind: str, may_be_absent: bool) -> float | int | None:
    """A number; NaN only as a float that need not be there, and says that it was no number."""
    if value is None:
        return None
    as_float = as_number(value)
    if kind == "int":
        return int(as_float) if math.isfinite(as_float) else None
    return as_float if may_be_absent or math.isfinite(as_float) else None


def as_number(value: Any) -> float:
    """`value` as a float; NaN where it is none (records write NaN and infinity as words)."""
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return math.nan


class RecordFile:
    """records.jsonl of a run; without a path, records are remembered only.

    Of an earlier session the first `keep` records stay, those that its checkpoint knows of.

    Raises:
        OSError: where the disk refuses the file, with what to do.

    Example:
        >>> file = RecordFile(None)
        >>> file.write(StepRecord(step=5, loss=194.8)).loss
        194.8
        >>> [record.step for record in file.history]
        [5]
    """

    def __init__(self, path: Path | None, keep: int = 0) -> None:
        self.history: list[Record] = []
        self.path = path
        self.file: IO[str] | None = None
        if path is None:
            return
        if keep and path.exists():
            self.history = read_records(path)[:keep]
        try:
            write_text(path, "".join(_line(record) for record in self.history))
            self.file = open(path, "a", encoding="utf-8")  # noqa: SIM115  closed by close()
        except OSError as error:
            raise self._refused(error, "Free some space, or name another folder") from error

    def write(self, record: R) -> R:
        """Append the record, hand it to the system, and return it.

        Raises:
            OSError: where the disk refuses it, with what to do; nothing more is written then.
        """
        self.history.append(record)
        if self.file is not None:
            try:
                self.file.write(_line(record))
                self.file.flush()
            except OSError as error:
                self._give_up()
                cure = "Free some space and resume the run from its last checkpoint"
                raise self._refused(error, cure) from error
        return record

    def close(self) -> None:
        """Close the file."""
        if self.file is not None:
            self.file.close()

    def _refused(self, error: OSError, cure: str) -> OSError:
        """What the system says about the file, and what to do."""
        problem = f"could not write the records of the run to {self.path} ({error.strerror})"
        return OSError(error.errno, f"{problem}. {cure}")

    def _give_up(self) -> None:
        """Close the file for good; it would write what was refused once more."""
        with contextlib.suppress(OSError):
            self.close()
        self.file = None


def read_records(run: Path | str) -> list[Record]:
    """The records of a run directory (or of the file itself), in order.

    A last line that a crash has cut is left out; broken lines before it too, with a warning that
    names the first.

    Raises:
        FileNotFoundError: where there is no such file.
    """
    path = Path(run)
    path = path / "records.jsonl" if path.is_dir() else path
    if not path.is_file():
        raise FileNotFoundError(
            f"{path}: expected the records of a run (a run directory holds records.jsonl)"
        )
    rows = path.read_text(encoding="utf-8", errors="replace").split("\n")
    records = []
    broken = []
    for number, row in enumerate(rows, start=1):
        if not row.strip():
            continue
        record = _record_of(row)
        if record is not None:
            records.append(record)
        elif number < len(rows):  # the last piece has no newline behind it: it was being written
            broken.append(f"{path}:{number}: not a record, left out: {row[:60]!r}")
    if broken:
        more = f", and {len(broken) - 1} lines more" if len(broken) > 1 else ""
        warnings.warn(broken[0] + more, stacklevel=2)
    return records


def read_run(run: Path | str) -> list[Record]:
    """The records of a run that shall be shown.

    Raises:
        FileNotFoundError: where there is no such file.
        ValueError: where no record is in it: nothing is known of such a run.
    """
    records = read_records(run)
    if not records:
        raise ValueError(f"{run}: expected the records of a run; records.jsonl holds none")
    return records


def _record_of(row: str) -> Record | None:
    try:
        return record_from(json.loads(row))
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError):
        return None


def _line(record: Record) -> str:
    """A record as a line that UTF-8 can write.

    Broken bytes of file names are lone surrogates in Python; they become \\udc80, which JSON reads.
    """
    text = json.dumps(_strict(record.as_json()), ensure_ascii=False, allow_nan=False)
    return text.encode("utf-8", "backslashreplace").decode("utf-8") + "\n"


def _strict(value: Any) -> Any:
    """Strict JSON knows no NaN and no infinity: they are written as strings."""
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, Mapping):
        return {str(key): _strict(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_strict(item) for item in value]
    return value
