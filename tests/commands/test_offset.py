"""`ctcasr offset`: a line for each clip, a warning for the late, sentences for the rest."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ctcasr import checkpoint
from ctcasr.batch import Utterance
from ctcasr.cli import main
from ctcasr.commands.offset import sentence, status_of
from ctcasr.data import read_manifest, write_manifest
from ctcasr.doctor.offset import Offset
from ctcasr.recognise.model import build
from ctcasr.recognise.recogniser import Recogniser
from ctcasr.recognise.spec import read_spec, spec_to
from ctcasr.text import Alphabet


@pytest.fixture
def pair(tmp_path: Path) -> list[str]:
    """Flags that name two networks that have learnt nothing."""
    alphabet = Alphabet.english38()
    flags = []
    for flag, name in (("--recogniser", "default"), ("--lips", "lips")):
        spec = read_spec(f"{name} hidden=8 layers=1")
        payload = Recogniser.payload(build(spec, alphabet.size), spec_to(spec), alphabet, {})
        flags += [flag, str(checkpoint.save(tmp_path / f"{name}.pt", payload))]
    return flags


def test_clips_are_told_one_by_one(
    pair: list[str], data_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = read_manifest(data_root / "grid_s1" / "valid.jsonl").utterances[:2]
    write_manifest(tmp_path / "two.jsonl", lines)
    status = main(["offset", str(tmp_path / "two.jsonl"), *pair, "--json"])
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["id"] for line in told] == [line.id for line in lines]
    late = any(line["is_late"] for line in told)
    unsure = not all(line["is_sure"] for line in told)
    assert status == (1 if late else 3 if unsure else 0)
    assert all(abs(line["seconds"]) <= 0.48 for line in told)


def test_a_clip_without_video_is_told_of(
    pair: list[str], recordings: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "blind.jsonl").write_text(json.dumps({"audio_filepath": "a.wav"}) + "\n")
    assert main(["offset", str(tmp_path / "blind.jsonl"), *pair]) == 1
    assert "expected a video" in capsys.readouterr().err
    assert main(["offset", str(tmp_path / "a.wav"), *pair]) == 1
    assert "without --video" in capsys.readouterr().err


@pytest.mark.parametrize(
    "seconds, told",
    [
        (0.0, "0 ms, the picture in time with"),
        (0.002, "behind"),
        (-0.03, "30 ms, the picture before"),
    ],
)
def test_nothing_is_neither_before_nor_behind(seconds: float, told: str) -> None:
    assert told in sentence(Utterance(Path("a.wav")), Offset(seconds, 0.9, 0.2))


def test_what_cannot_be_told_is_said_with_a_status_of_its_own() -> None:
    unsure = Offset(0.0, 0.05, 0.004)
    assert "cannot be told" in sentence(Utterance(Path("a.wav")), unsure)
    offsets = [unsure, Offset(0.0, 0.9, 0.2), Offset(0.2, 0.9, 0.2)]
    assert [status_of(offset) for offset in offsets] == [3, 0, 1]
