"""`ctcasr evaluate`: rates in a line and in files; nothing scored is a failure."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ctcasr.cli import main


def test_rates_are_printed_and_written(
    recogniser: Path, recordings: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "scores"
    assert main(["evaluate", str(recogniser), str(recordings), "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    scores = json.loads((out / "scores.json").read_text(encoding="utf-8"))
    assert f"WER {100 * scores['wer']:.2f} %" in printed and "3 utterances" in printed
    assert str(out / "scores.json") in printed
    assert len((out / "hypotheses.jsonl").read_text(encoding="utf-8").splitlines()) == 3


def test_nothing_scored_is_status_1_with_the_reasons(
    recogniser: Path, recordings: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in tmp_path.glob("*.wav"):
        path.write_bytes(b"")
    command = ["evaluate", str(recogniser), str(recordings), "--out", str(tmp_path / "s")]
    assert main(command) == 1
    captured = capsys.readouterr()
    assert "WER" not in captured.out and "a.wav" in captured.err


def test_what_makes_only_sense_with_a_beam_is_refused_without(
    recogniser: Path, recordings: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["evaluate", str(recogniser), str(recordings), "--out", str(tmp_path / "s")]
    assert main([*command, "--hotwords", "one"]) == 1
    assert "--hotwords: expected --beam N" in capsys.readouterr().err
