"""Offline runs of Weights & Biases: every number at its step, and nothing sent."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ctcasr.records import Record
from ctcasr.show import write_wandb


class Pretended:
    """What is used of the package, noting what it is told."""

    def __init__(self, folder: Path) -> None:
        self.told: dict[str, Any] = {}
        self.logged: list[tuple[int, dict[str, Any]]] = []
        self.settings = SimpleNamespace(sync_dir=str(folder))

    def Settings(self, **options: Any) -> dict[str, Any]:
        return options

    def init(self, **options: Any) -> Pretended:
        self.told = options
        return self

    def log(self, entries: dict[str, Any], step: int) -> None:
        self.logged.append((step, entries))

    def finish(self) -> None:
        self.told["finished"] = True


def test_every_step_is_logged_once_in_order(
    records: list[Record],
    write_run: Callable[[list[Record]], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = write_run(records)
    (run / "settings.toml").write_text("epochs = 6\n", encoding="utf-8")
    pretended = Pretended(tmp_path / "synced")
    monkeypatch.setitem(sys.modules, "wandb", pretended)
    assert write_wandb(run, "mine") == tmp_path / "synced"
    assert pretended.told["mode"] == "offline" and pretended.told["project"] == "mine"
    assert pretended.told["config"] == {"epochs": 6} and pretended.told["finished"]
    steps = [step for step, _ in pretended.logged]
    assert steps == sorted(steps) and set(steps) == set(range(1, 61))
    losses = [entries["train/loss"] for _, entries in pretended.logged if "train/loss" in entries]
    assert len(losses) == 60
    assert any(entries.get("verdict") == "learning" for _, entries in pretended.logged)


def test_without_the_package_it_says_what_to_install(
    records: list[Record],
    write_run: Callable[[list[Record]], Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(ImportError, match=r"pip install 'ctcasr\[wandb\]'"):
        write_wandb(write_run(records), "mine")


def test_a_run_without_records_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_wandb(tmp_path, "mine")


def test_the_package_itself_writes_every_step(
    records: list[Record], write_run: Callable[[list[Record]], Path]
) -> None:
    pytest.importorskip("wandb", reason="the extra `wandb` is not installed")
    (path,) = write_wandb(write_run(records), "mine").glob("*.wandb")
    content = path.read_bytes()
    assert content.count(b"train/loss") >= 60 and b"learning" in content
