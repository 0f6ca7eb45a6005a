"""`ctcasr runs`: the page of a folder, or a sentence where there is no run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ctcasr.cli import main


def test_runs_below_a_folder_are_compared(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, loss in (("a", 3.0), ("b", 2.0)):
        (tmp_path / name).mkdir()
        lines: list[dict[str, object]] = [
            {"kind": "start", "step": 0, "schema": 2},
            {"kind": "step", "step": 1, "loss": loss, "lr": 0.001, "epoch": 1},
            {"kind": "check", "step": 1, "epoch": 1, "loss": loss, "wer": loss / 10, "best": True},
        ]
        text = "".join(json.dumps(line) + "\n" for line in lines)
        (tmp_path / name / "records.jsonl").write_text(text, encoding="utf-8")
    assert main(["runs", str(tmp_path)]) == 0
    page = Path(capsys.readouterr().out.strip())
    text = page.read_text(encoding="utf-8")
    assert page.parent == tmp_path and ">a<" in text and ">b<" in text


def test_a_folder_without_runs_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["runs", str(tmp_path)]) == 1
    assert str(tmp_path) in capsys.readouterr().err
