"""The records of a run as TensorBoard event files."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ctcasr.records import read_records
from ctcasr.show.records import RecordLike, final_course, number, time_of

_FOLDERS = {"step": "train", "check": "dev", "epoch": "epoch"}  # how TensorBoard groups the curves
_LEFT_OUT = ("time_s",)


def write_events(run: Path | str, out: Path | str | None = None) -> Path:
    """Write every number and event of a run directory's records.jsonl to `out` (default: its tensorboard/), whole or not at all.

    A second call writes them anew; a folder with anything else in it is refused (ValueError). FileNotFoundError without records,
    ImportError without the package tensorboard.
    """
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise ImportError(
            "event files need the package tensorboard, which is not installed: pip install 'ctcasr[tensorboard]'"
        ) from error
    run = Path(run)
    source = run / "records.jsonl" if run.is_dir() else run
    records = final_course(read_records(source))
    folder = Path(out) if out is not None else source.parent / "tensorboard"
    if (
        foreign := [path.name for path in folder.iterdir() if "tfevents" not in path.name]
        if folder.is_dir()
        else []
    ):
        raise ValueError(
            f"{folder}: expected a new folder, or one with event files only; it holds {', '.join(sorted(foreign)[:3])}"
        )
    started = source.stat().st_mtime - max(
        (time_of(record) or 0.0 for record in records), default=0.0
    )
    part = folder.with_name(f".{folder.name}.{os.getpid()}.part")
    writer: Any = SummaryWriter(str(part))
    try:
        for record in records:
            at = started + (time_of(record) or 0.0)
            for name, value in _numbers(record):
                writer.add_scalar(name, value, record.step, at)
            for name, text in _texts(record):
                writer.add_text(name, text, record.step, at)
        writer.close()
        shutil.rmtree(folder, ignore_errors=True)
        os.replace(part, folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return folder


def _numbers(record: RecordLike) -> Iterator[tuple[str, float]]:
    """Names and values of the curves that a record is a point of; those of its parts ("report", "evidence") have the part's name first."""
    if record.kind not in _FOLDERS:
        return
    for key, value in record.data.items():
        inside = value.items() if isinstance(value, Mapping) else [("", value)]
        for name, item in inside:
            if (found := number(item)) is not None and key not in _LEFT_OUT:
                yield "/".join(part for part in (_FOLDERS[record.kind], key, name) if part), found


def _texts(record: RecordLike) -> Iterator[tuple[str, str]]:
    """What a record says in words: events, the verdict, what was heard."""
    data = record.data
    if record.kind == "event":
        yield f"event/{data.get('what')}", str(data.get("message", ""))
    if record.kind == "check":
        if verdict := data.get("verdict"):
            causes = "; ".join(
                f"{cause['slug']}: {cause['evidence']} Cure: {cause['cure']}"
                for cause in verdict.get("causes") or ()
            )
            yield "verdict", f"{verdict.get('state')}" + (f". {causes}" if causes else "")
        samples = [s for s in data.get("samples") or () if "reference" in s]
        if samples:
            yield (
                "heard",
                "\n\n".join(
                    f"said: {s['reference']}  \nheard: {s.get('hypothesis', '')}" for s in samples
                ),
            )
