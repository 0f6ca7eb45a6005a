"""`ctcasr wandb`: says that nothing was sent, and how it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from ctcasr.cli import main


def test_the_next_command_is_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("wandb", reason="the extra `wandb` is not installed")
    (tmp_path / "records.jsonl").write_text('{"kind": "step", "step": 1, "loss": 2.0}\n')
    assert main(["wandb", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("nothing was sent; to send it: wandb sync ")
    assert Path(printed.split()[-1]).is_dir()


def test_a_folder_without_records_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["wandb", str(tmp_path)]) == 1
    assert capsys.readouterr().err.startswith("ctcasr: ")
