"""A command's folder: nothing that is there is lost, and it is tried before any work."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ctcasr.cli import main
from ctcasr.commands.out_folder import prepare_out


def test_an_input_is_not_written_over(tmp_path: Path) -> None:
    manifest = tmp_path / "a" / ".." / "clean.jsonl"
    with pytest.raises(ValueError, match=r"clean.jsonl: would be written over"):
        prepare_out(tmp_path, ["clean.jsonl"], [manifest])
    prepare_out(tmp_path / "new" / "one", ["clean.jsonl"], [manifest])
    assert list((tmp_path / "new" / "one").iterdir()) == []


@pytest.mark.parametrize(
    ("scores", "command"),
    [({"sensitivity": []}, "compare"), ({"rows": []}, "score-enhanced"), ({"wer": 1}, "evaluate")],
)
def test_scores_of_another_command_stay(
    tmp_path: Path, scores: dict[str, object], command: str
) -> None:
    (tmp_path / "scores.json").write_text(json.dumps(scores), encoding="utf-8")
    prepare_out(tmp_path, [], [], command)
    for other in {"compare", "score-enhanced", "evaluate"} - {command}:
        with pytest.raises(ValueError, match=f"ctcasr {command} has scored"):
            prepare_out(tmp_path, [], [], other)


def test_a_place_that_is_no_folder_is_told_before_anything_is_loaded(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "taken").write_text("a file", encoding="utf-8")
    out = str(tmp_path / "taken")
    for words in (
        ["evaluate", "none.pt", "none.jsonl", "--out", out],
        ["audit", "none.jsonl", "--out", out],
        ["score-enhanced", "none.jsonl", "--enhanced", "e", "--recogniser", "r", "--out", out],
    ):
        assert main(words) == 1
        assert "taken" in capsys.readouterr().err


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "out").touch()
    with pytest.raises(ValueError, match="expected a folder as --out; a file lies there"):
        prepare_out(tmp_path / "out", [], [])
