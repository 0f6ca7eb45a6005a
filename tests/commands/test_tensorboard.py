"""`ctcasr tensorboard`: says how to look at what it wrote."""

from __future__ import annotations

from pathlib import Path

import pytest

from ctcasr.cli import main


def test_the_next_command_is_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("tensorboard", reason="the extra `tensorboard` is not installed")
    (tmp_path / "records.jsonl").write_text('{"kind": "step", "step": 1, "loss": 2.0}\n')
    assert main(["tensorboard", str(tmp_path), "--out", str(tmp_path / "events")]) == 0
    assert capsys.readouterr().out == f"tensorboard --logdir {tmp_path / 'events'}\n"


def test_a_folder_without_records_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["tensorboard", str(tmp_path)]) == 1
    assert capsys.readouterr().err.startswith("ctcasr: ")


def test_a_file_in_the_place_of_the_folder_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("tensorboard", reason="the extra `tensorboard` is not installed")
    (tmp_path / "records.jsonl").write_text('{"kind": "step", "step": 1, "loss": 2.0}\n')
    taken = tmp_path / "taken"
    taken.write_text("a file", encoding="utf-8")
    assert main(["tensorboard", str(tmp_path), "--out", str(taken)]) == 1
    assert f"{taken}: expected a folder" in capsys.readouterr().err
    assert taken.read_text(encoding="utf-8") == "a file"
