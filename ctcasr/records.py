"""What a training run tells: records, each a line of records.jsonl before anybody sees it."""

from __future__ import annotations

import json
import math
import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any


@dataclass(frozen=True)
class Record:
    """One thing that happened: `kind` is "start", "step", "check", "epoch" or "event"."""

    kind: str
    step: int
    data: Mapping[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """The record as one flat object."""
        return {"kind": self.kind, "step": self.step, **self.data}


class RecordFile:
    """records.jsonl of a run; of an earlier session the first `keep` records stay, those that its checkpoint knows of.

    Without a path nothing is written, but remembered.
    """

    def __init__(self, path: Path | None, keep: int = 0) -> None:
        self.history: list[dict[str, Any]] = []
        self.file: IO[str] | None = None
        if path is None:
            return
        if keep and path.exists():
            self.history = [record.as_json() for record in read_records(path)[:keep]]
        part = path.with_name(f".{path.name}.part")
        with open(part, "w", encoding="utf-8") as file:
            file.writelines(_line(entry) for entry in self.history)
        os.replace(part, path)
        self.file = open(path, "a", encoding="utf-8")  # noqa: SIM115  closed by close()

    def write(self, record: Record) -> Record:
        """Append the record, hand it to the system, and return it."""
        entry = record.as_json()
        self.history.append(entry)
        if self.file is not None:
            self.file.write(_line(entry))
            self.file.flush()
        return record

    def close(self) -> None:
        """Close the file."""
        if self.file is not None:
            self.file.close()


def read_records(run: Path | str) -> list[Record]:
    """The records of a run directory (or of the file itself), in order.

    A last line that a crash has cut is left out; a broken line before it is left out with a warning that names it.
    Raises FileNotFoundError where there is no such file.
    """
    path = Path(run)
    path = path / "records.jsonl" if path.is_dir() else path
    if not path.is_file():
        raise FileNotFoundError(
            f"{path}: expected the records of a run (a run directory holds records.jsonl)"
        )
    rows = path.read_text(encoding="utf-8", errors="replace").split("\n")
    records = []
    for number, row in enumerate(rows, 1):
        record = _record(row) if row.strip() else None
        if record is not None:
            records.append(record)
        elif row.strip() and number < len(
            rows
        ):  # the last piece has no newline behind it: it was being written
            warnings.warn(f"{path}:{number}: not a record, left out: {row[:60]!r}", stacklevel=2)
    return records


def _record(row: str) -> Record | None:
    try:
        found = json.loads(row)
        return Record(str(found.pop("kind")), int(found.pop("step", 0)), found)
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError):
        return None


def _line(entry: Mapping[str, Any]) -> str:
    return json.dumps(_plain(entry), ensure_ascii=False, allow_nan=False) + "\n"


def _plain(value: Any) -> Any:
    """Strict JSON knows no NaN and no infinity: they are written as strings."""
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
