"""Records as the views see them, and reading a run's `records.jsonl`."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol


class RecordLike(Protocol):
    """Whatever has a kind, a step and data: the trainer's records, and the `Line`s of a file."""

    @property
    def kind(self) -> str: ...
    @property
    def step(self) -> int: ...
    @property
    def data(self) -> Mapping[str, Any]: ...


@dataclass(frozen=True)
class Line:
    """One line of `records.jsonl`, decoded."""

    kind: str
    step: int
    data: Mapping[str, Any] = field(default_factory=dict)


def read_records(run: str | Path) -> list[Line]:
    """The records of a run directory (or of the file itself), in order.

    A last line that a crash has cut is left out; a broken line before it is left out with a warning that names it.
    Raises FileNotFoundError where there is no such file.
    """
    path = Path(run)
    path = path / "records.jsonl" if path.is_dir() else path
    if not path.is_file():
        raise FileNotFoundError(f"{path}: expected the records of a run (a run directory holds records.jsonl)")
    rows = path.read_text(encoding="utf-8", errors="replace").split("\n")
    lines: list[Line] = []
    for number, row in enumerate(rows, 1):
        if not row.strip():
            continue
        line = _decode(row)
        if line is not None:
            lines.append(line)
        elif number < len(rows):       # the last piece has no newline behind it: a record that was being written
            warnings.warn(f"{path}:{number}: not a record, left out: {row[:60]!r}", stacklevel=2)
    return lines


def _decode(row: str) -> Line | None:
    try:
        found = json.loads(row)
        return Line(str(found.pop("kind")), int(found.pop("step", 0)), found)
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError):
        return None


def time_of(record: RecordLike) -> float | None:
    """Seconds since the start of the run, where the record tells them (as an attribute or among its data)."""
    value = getattr(record, "time_s", None)
    return number(record.data.get("time_s") if value is None else value)


def number(value: Any) -> float | None:
    """`value` as a finite float; None for everything else (absent, NaN, infinite, text)."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        value = float(value)
    except OverflowError:
        return None
    return value if -float("inf") < value < float("inf") else None


def final_course(records: Iterable[RecordLike]) -> list[RecordLike]:
    """The records that count: where a resumed run went over steps again, those of the first time are left out."""
    course: list[RecordLike] = []
    for record in records:
        if record.kind in ("start", "step"):
            while course and (course[-1].step > record.step
                              or (course[-1].step == record.step and course[-1].kind == record.kind == "step")):
                course.pop()
        course.append(record)
    return course
