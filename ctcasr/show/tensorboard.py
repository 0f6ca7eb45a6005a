"""The records of a run as TensorBoard event files."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ctcasr.kernels.atomic import replacing
from ctcasr.records import Record, read_run
from ctcasr.show.logged import numbers_of, texts_of
from ctcasr.show.records import final_course


def write_events(run: Path | str, out: Path | str | None = None) -> Path:
    """Write every number and event of a run to `out` (default: its tensorboard/), or nothing.

    `run` is a run directory or its records.jsonl. A second call writes the files anew.

    Raises:
        ValueError: where `out` is a file, or holds anything else.
        FileNotFoundError: without records.
        ImportError: without the package tensorboard.
    """
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise ImportError(
            "event files need the package tensorboard, which is not installed: "
            "pip install 'ctcasr[tensorboard]'"
        ) from error
    run = Path(run)
    source = run / "records.jsonl" if run.is_dir() else run
    records = final_course(read_run(source))
    folder = source.parent / "tensorboard" if out is None else Path(out)
    _refuse_foreign(folder)
    with replacing(folder, durable=False, shared=True) as part:
        _write(SummaryWriter(str(part)), records, ended_s=source.stat().st_mtime)
        shutil.rmtree(folder, ignore_errors=True)
    return folder


def _refuse_foreign(folder: Path) -> None:
    """ValueError for a folder with files of anybody else, or a file in its place."""
    if folder.is_file():
        raise ValueError(f"{folder}: expected a folder for the event files; a file lies there")
    if not folder.is_dir():
        return
    foreign = sorted(path.name for path in folder.iterdir() if "tfevents" not in path.name)
    if foreign:
        raise ValueError(
            f"{folder}: expected a new folder, or one with event files only; "
            f"it holds {', '.join(foreign[:3])}"
        )


def _write(writer: Any, records: Iterable[Record], ended_s: float) -> None:
    """All curves and texts, at the time of the clock; the last record was written at `ended_s`."""
    records = list(records)
    started_s = ended_s - max((record.time_s for record in records), default=0.0)
    for record in records:
        wall_s = started_s + record.time_s
        for name, value in numbers_of(record):
            writer.add_scalar(name, value, record.step, wall_s)
        for name, text in texts_of(record):
            writer.add_text(name, text, record.step, wall_s)
    writer.close()
