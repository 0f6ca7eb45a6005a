"""The records of a run as an offline run of Weights & Biases: nothing is sent."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ctcasr.records import Record, read_run
from ctcasr.show.logged import numbers_of, texts_of
from ctcasr.show.records import final_course
from ctcasr.train import read_settings


def write_wandb(run: Path | str, project: str, out: Path | str | None = None) -> Path:
    """Write every number and text of a run as an offline run; its folder, for `wandb sync`.

    `run` is a run directory, whose settings become the configuration. A folder `wandb/` is made in
    `out` (default: the run directory). Each call makes a run of its own.

    Raises:
        FileNotFoundError: without records.
        ImportError: without the package wandb.
    """
    folder = Path(run)
    records = final_course(read_run(folder))
    wandb = _offline_wandb()
    place = folder if out is None else Path(out)
    if place.is_file():
        raise ValueError(f"{place}: expected a folder in which wandb/ is made; a file lies there")
    place.mkdir(parents=True, exist_ok=True)
    written = wandb.init(
        mode="offline",
        project=project,
        name=folder.resolve().name,
        dir=str(place),
        config=_settings_of(folder),
        settings=wandb.Settings(
            silent=True,
            console="off",
            disable_git=True,
            # The machine that writes need not be the one that trained, and is nobody's business.
            x_disable_stats=True,
            x_disable_meta=True,
            x_disable_machine_info=True,
            x_save_requirements=False,
        ),
    )
    synced = Path(written.settings.sync_dir)
    # Steps that go back are dropped by wandb; a watch's last check may be of some steps before.
    for record in sorted(records, key=lambda record: record.step):
        entries = _entries(record)
        if entries:
            written.log(entries, step=record.step)
    written.finish()
    return synced


def _offline_wandb() -> Any:
    """The package, told to report nothing of its own either."""
    os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
    try:
        import wandb
    except ImportError as error:
        raise ImportError(
            "Weights & Biases needs the package wandb, which is not installed: "
            "pip install 'ctcasr[wandb]'"
        ) from error
    return wandb


def _settings_of(folder: Path) -> dict[str, Any]:
    """The settings of a run; none where it has no such file, as a watched one."""
    path = folder / "settings.toml"
    if not path.is_file():
        return {}
    return read_settings(path)


def _entries(record: Record) -> dict[str, float | str]:
    """What is logged of a record, and the time of training at which it was."""
    entries: dict[str, float | str] = dict(numbers_of(record))
    entries.update(texts_of(record))
    if entries:
        entries["time_s"] = record.time_s
    return entries
