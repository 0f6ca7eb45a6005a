"""Common Voice: texts in the alphabet, and what was done to them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ctcasr.data import read_audio, read_manifest

Run = Callable[..., int]


def noise(count: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(-9000, 9000, count, dtype=np.int16)


SENTENCES = [
    ("anna", "Well, that's \"it\" \u2013 isn't it?"),
    ("anna", "A caf\u00e9 in K\u00f6ln."),
    ("ben", "It costs 5 % more."),
    ("ben", "\u0395\u03c5\u03c7\u03b1\u03c1\u03b9\u03c3\u03c4\u03ce!"),
    ("cara", "..."),
    ("cara", "No clip"),
    ("dora", "Plain words"),
]


@pytest.fixture
def voices(tmp_path: Path) -> Path:
    """Common Voice as it is handed out: a table, and clips in MP3."""
    root = tmp_path / "cv-corpus-20.0/en"
    (root / "clips").mkdir(parents=True)
    rows = ["client_id\tpath\tsentence_id\tsentence\tup_votes\tlocale"]
    for index, (who, sentence) in enumerate(SENTENCES):
        rows.append(f"{who * 16}\tcommon_voice_en_{index}.mp3\tx\t{sentence}\t2\ten")
        if sentence != "No clip":
            soundfile.write(
                root / f"clips/common_voice_en_{index}.mp3",
                noise(32000, index),
                32000,
                format="MP3",
            )
    for part in ("train", "validated"):
        (root / f"{part}.tsv").write_text(
            "\n".join(rows[: 3 if part == "train" else None]) + "\n", encoding="utf-8"
        )
    return root


def test_common_voice(
    run: Run, voices: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("commonvoice", voices, "--part", "validated", "--out", tmp_path / "m.jsonl") == 0
    lines = read_manifest(tmp_path / "m.jsonl").utterances
    assert [u.text for u in lines] == ["well thats it isnt it", "a cafe in koln", "plain words"]
    assert [u.speaker for u in lines] == [
        ("anna" * 16)[:16],
        ("anna" * 16)[:16],
        ("dora" * 16)[:16],
    ]
    assert all(
        abs(len(read_audio(u, 16000)) - 16000) < 1600 for u in lines
    )  # MP3 may add a frame at the ends
    told = capsys.readouterr().out
    assert (
        "punctuation taken out of 2 sentences" in told
        and "',' U+002C x1" in told
        and "'?' U+003F x1" in told
    )
    assert (
        "left out for characters outside the alphabet: 2 sentences" in told
        and "'%' U+0025 x1" in told
    )
    assert "left out without a letter or digit: 1" in told and "common_voice_en_5.mp3" in told
    assert run("commonvoice", voices, "--out", tmp_path / "train.jsonl") == 0
    assert len(read_manifest(tmp_path / "train.jsonl")) == 2


def test_common_voice_that_is_broken(
    run: Run, voices: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("commonvoice", voices, "--part", "dev", "--out", tmp_path / "m.jsonl") == 1
    assert (
        "dev.tsv: expected a table of Common Voice" in (told := capsys.readouterr().err)
        and "train, validated" in told
    )
    (voices / "dev.tsv").write_text("client_id\tpath\nx\ty\n")
    assert run("commonvoice", voices, "--part", "dev", "--out", tmp_path / "m.jsonl") == 1
    assert "dev.tsv:1: " in (told := capsys.readouterr().err) and "no sentence" in told
    (voices / "dev.tsv").write_text("client_id\tpath\tsentence\nx\ty\n")
    assert run("commonvoice", voices, "--part", "dev", "--out", tmp_path / "m.jsonl") == 1
    assert "dev.tsv:2: expected 3 columns; got 2" in capsys.readouterr().err
