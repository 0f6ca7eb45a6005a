"""`ctcasr prepare`: corpora by name, with flags of their own."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

import ctcasr.corpora
from ctcasr.cli import main
from ctcasr.commands.prepare import CORPORA
from ctcasr.run_cli import WRONG_CALL


def test_the_list_is_that_of_the_modules() -> None:
    folder = Path(ctcasr.corpora.__file__).parent
    modules = {path.stem for path in folder.glob("*.py") if not path.stem.startswith("_")}
    assert {name.replace("-", "_") for name in CORPORA} == modules


@pytest.mark.parametrize("name", CORPORA)
def test_help_says_how_the_command_is_called(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert importlib.import_module(f"ctcasr.corpora.{name.replace('-', '_')}").main
    with pytest.raises(SystemExit) as stop:
        main(["prepare", name, "--help"])
    assert stop.value.code == 0
    assert f"usage: ctcasr prepare {name}" in capsys.readouterr().out


def test_the_nearest_corpus_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["prepare", "libri-speech", "x"])
    assert stop.value.code == WRONG_CALL
    assert "did you mean 'librispeech'?" in capsys.readouterr().err


def test_a_corpus_that_is_left_out_is_a_wrong_call_and_all_are_listed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["prepare"])
    said = capsys.readouterr().err
    assert stop.value.code == WRONG_CALL and all(name in said for name in CORPORA)


def test_a_source_that_is_not_there_is_a_sentence_and_status_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "m.jsonl"
    assert main(["prepare", "grid", str(tmp_path / "nowhere"), "--out", str(out)]) == 1
    assert "nowhere" in capsys.readouterr().err and not out.exists()
