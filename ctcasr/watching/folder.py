"""The folder of a watch: its records take nobody's place."""

from __future__ import annotations

from pathlib import Path

from ctcasr.records import RecordFile, StartRecord, read_records

BEFORE = "records.before.jsonl"  # of the watch before this one


def open_records(out: Path) -> RecordFile:
    """A new records.jsonl in a folder; that of an earlier watch is kept beside it.

    Raises:
        FileExistsError: where the records of a training by this library are there.
    """
    out.mkdir(parents=True, exist_ok=True)
    path = out / "records.jsonl"
    if path.is_file():
        _refuse_training(path)
        path.replace(out / BEFORE)
    return RecordFile(path)


def _refuse_training(path: Path) -> None:
    """FileExistsError where the records are not those of a watch, which names no network."""
    starts = [record for record in read_records(path) if isinstance(record, StartRecord)]
    if any(start.network for start in starts):
        raise FileExistsError(
            f"{path} tells of a training by ctcasr, which a watch would replace: give the watch a "
            f"folder of its own, as in watch(out={str(path.parent) + '_watched'!r})"
        )
