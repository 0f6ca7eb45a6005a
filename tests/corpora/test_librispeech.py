"""LibriSpeech's layout, and several parts of it."""

from __future__ import annotations

import json
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


def noise(count: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(-9000, 9000, count, dtype=np.int16)


def test_librispeech(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    chapter = tmp_path / "LibriSpeech/train-clean-100/103/1240"
    for index in range(3):
        _sound(chapter / f"103-1240-000{index}.flac", 0.1 * (index + 1))
    (chapter / "103-1240.trans.txt").write_text(
        "103-1240-0000 CHAPTER ONE\n103-1240-0001 IT'S TWO\n"
        "103-1240-0002 THREE\n103-1240-0003 NO SOUND\n"
    )
    assert run("librispeech", tmp_path / "LibriSpeech", "--out", tmp_path / "out/train.jsonl") == 0
    manifest = read_manifest(tmp_path / "out/train.jsonl")
    assert [(u.text, u.speaker, u.duration) for u in manifest] == [
        ("CHAPTER ONE", "103", 0.1),
        ("IT'S TWO", "103", 0.2),
        ("THREE", "103", 0.3),
    ]
    line = json.loads((tmp_path / "out/train.jsonl").read_text().splitlines()[0])
    assert line["audio_filepath"] == "../LibriSpeech/train-clean-100/103/1240/103-1240-0000.flac"
    out = capsys.readouterr().out
    assert (
        "3 utterances" in out
        and "left out: 1\n  103-1240.trans.txt:4: " in out
        and "every character" in out
    )


def test_several_parts_of_librispeech_are_one_corpus(run: Run, tmp_path: Path) -> None:
    root = tmp_path / "LibriSpeech"
    for part, chapter in (
        ("train-clean-100", "103/1240"),
        ("train-clean-360", "100/121669"),
        ("train-other-500", "20/205"),
        ("dev-clean", "84/1"),
    ):
        name = "-".join(chapter.split("/"))
        (root / part / chapter).mkdir(parents=True)
        soundfile.write(root / part / chapter / f"{name}-0000.flac", noise(1600, 1), 16000)
        (root / part / chapter / f"{name}.trans.txt").write_text(
            f"{name}-0000 IT'S {part.upper()}\n"
        )
    for name in ("BOOKS.TXT", "CHAPTERS.TXT", "LICENSE.TXT", "README.TXT", "SPEAKERS.TXT"):
        (root / name).write_text("; not a transcript\n")
    train = [root / part for part in ("train-clean-100", "train-clean-360", "train-other-500")]
    assert run("librispeech", *train, "--out", tmp_path / "train.jsonl") == 0
    assert sorted(u.speaker or "" for u in read_manifest(tmp_path / "train.jsonl")) == [
        "100",
        "103",
        "20",
    ]
    assert run("librispeech", root, "--out", tmp_path / "all.jsonl") == 0
    assert len(read_manifest(tmp_path / "all.jsonl")) == 4
    assert (
        run(
            "librispeech",
            root / "dev-clean",
            tmp_path / "nothing",
            "--out",
            tmp_path / "none.jsonl",
        )
        == 1
    )


def test_notes_of_macos_are_no_transcripts(run: Run, tmp_path: Path) -> None:
    _sound(tmp_path / "103/103-1240-0000.flac")
    (tmp_path / "103/103-1240.trans.txt").write_text("103-1240-0000 CHAPTER ONE\n")
    (tmp_path / "103/._103-1240.trans.txt").write_bytes(b"\x00\x05\x16\x07\xff")
    assert run("librispeech", tmp_path, "--out", tmp_path / "m.jsonl") == 0
    assert len(read_manifest(tmp_path / "m.jsonl")) == 1
