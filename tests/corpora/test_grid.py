"""GRID: sentences from names, talkers from folders."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ctcasr.data import read_manifest

Run = Callable[..., int]


def _sound(path: Path, seconds: float = 0.1, rate_hz: int = 8000) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.zeros(round(seconds * rate_hz), np.int16), rate_hz)
    return path


def test_grid(run: Run, tmp_path: Path) -> None:
    root = tmp_path / "grid"
    for talker in ("s1", "s2"):
        _sound(root / f"audio/{talker}/bbaf2n.wav")
    _sound(root / "audio/s1/notes.wav")
    (root / "align/s1").mkdir(parents=True)
    (root / "align/s1/bbaf2n.align").write_text("0 100 sil\n")
    (root / "video/s1.mpg_6000").mkdir(parents=True)
    (root / "video/s1.mpg_6000/bbaf2n.mpg").write_bytes(b"-")
    assert run("grid", root, "--out", tmp_path / "m.jsonl") == 0
    first, second = read_manifest(tmp_path / "m.jsonl").utterances
    assert (first.text, first.speaker, second.speaker) == ("BIN BLUE AT F TWO NOW", "s1", "s2")
    assert (
        first.video_filepath is not None
        and first.video_filepath.is_file()
        and second.video_filepath is None
    )
    assert Path(first.extra["align_filepath"]).is_file() and not second.extra
    assert run("grid", root, "--talkers", "s2", "--out", tmp_path / "m.jsonl") == 0
    assert len(read_manifest(tmp_path / "m.jsonl")) == 1


def test_folders_of_talkers_in_capitals_and_of_nobody(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for folder in ("S1", "S2"):
        _sound(tmp_path / "known" / folder / "bbaf2n.wav")
    assert run("grid", tmp_path / "known", "--out", tmp_path / "m.jsonl") == 0
    speakers = [one.speaker for one in read_manifest(tmp_path / "m.jsonl").utterances]
    assert speakers == ["s1", "s2"]
    assert "left out" not in capsys.readouterr().err
    for folder in ("anna", "berta"):
        _sound(tmp_path / "unknown" / folder / "bbaf2n.wav")
    assert run("grid", tmp_path / "unknown", "--out", tmp_path / "n.jsonl") == 0
    assert len(read_manifest(tmp_path / "n.jsonl")) == 1
    told = capsys.readouterr().err
    assert "left out: 1 recordings" in told and "berta/bbaf2n.wav" in told


def test_talkers_are_asked_for_in_any_case_and_must_be_there(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for talker in ("s1", "s2"):
        _sound(tmp_path / "grid" / talker / "bbaf2n.wav")
    out = tmp_path / "m.jsonl"
    assert run("grid", tmp_path / "grid", "--out", out, "--talkers", "S2") == 0
    assert [one.speaker for one in read_manifest(out)] == ["s2"]
    assert run("grid", tmp_path / "grid", "--out", out, "--talkers", "s1", "s9") == 1
    assert "(s1, s2); there is no s9" in capsys.readouterr().err


def test_a_folder_without_recordings_is_told(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _sound(tmp_path / "notes.wav")
    for folder in (tmp_path, tmp_path / "nowhere"):
        assert run("grid", folder, "--out", tmp_path / "m.jsonl") == 1
        assert "named by their sentences (bbaf2n.wav); found none" in capsys.readouterr().err
