"""Sentences are typed, and a recogniser comes out that writes one of them, or nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ctcasr.cli import main as cli
from ctcasr.commands.train import load_recipe
from ctcasr.recognise.recogniser import Recogniser

pytest.importorskip("espeakng_loader")
SENTENCES = "a b\nb a a\n"


@pytest.fixture
def sentences(tmp_path: Path) -> Path:
    path = tmp_path / "sentences.txt"
    path.write_text(SENTENCES, encoding="utf-8")
    return path


def flags(sentences: Path, net: Path, out: Path, *more: str) -> list[str]:
    """A run of a few seconds."""
    small = ["--hours", "0.008", "--epochs", "1", "--batch-size", "4", "--dev-utterances", "2"]
    run = ["--net", str(net), "--out", str(out), "--workers", "0", "--device", "cpu"]
    return ["--sentences", str(sentences), *small, *run, *more]


def test_from_sentences_to_a_recogniser(
    sentences: Path, tones: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    commands = load_recipe("commands")
    commands.TAUGHT = 4
    commands.TIMED = 4
    out = tmp_path / "run"
    real = ["--real", str(tones.train), "--real-minutes", "0.05", "--others", str(tones.train)]
    first = json.loads(tones.valid.read_text(encoding="utf-8").splitlines()[0])
    sound = str(tones.valid.parent / first["audio_filepath"])
    parts = [
        {"audio_filepath": sound, "duration": 0.15},
        {"audio_filepath": sound, "offset": 0.1, "duration": 0.2},
        {"audio_filepath": "gone.wav"},
    ]
    foreign = tmp_path / "foreign.jsonl"
    foreign.write_text("".join(json.dumps(part) + "\n" for part in parts), encoding="utf-8")
    scored = ["--valid", str(tones.valid), "--foreign", str(foreign)]
    commands.main(flags(sentences, tones.net, out, *real, *scored))
    told = capsys.readouterr().out
    assert "minutes of real speech" in told
    assert "where some words are others" in told
    assert "refused; details in" in told
    assert "of 2 recordings accepted, 1 skipped" in told
    made = Recogniser.load_checkpoint(out / "best.pt")
    assert made.word_models.aligner is not None
    recording = json.loads(tones.valid.read_text(encoding="utf-8").splitlines()[0])
    path = tones.valid.parent / recording["audio_filepath"]
    assert made.transcribe(path)[0].text in ("", "a b", "b a a")
    assert cli(["transcribe", str(out / "best.pt"), str(path)]) == 0
    assert capsys.readouterr().out.strip() in ("", "a b", "b a a")


def test_sentences_that_are_none_are_refused_before_anything_is_said(
    tones: Any, tmp_path: Path
) -> None:
    empty = tmp_path / "empty.txt"
    empty.write_text("\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"empty\.txt: expected at least one sentence"):
        load_recipe("commands").main(flags(empty, tones.net, tmp_path / "run"))
