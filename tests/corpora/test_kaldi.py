"""Kaldi data folders, with and without segments, and broken ones."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ctcasr.data import read_audio, read_manifest

Run = Callable[..., int]


def _sound(path: Path, seconds: float = 0.1, rate_hz: int = 8000) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.zeros(round(seconds * rate_hz), np.int16), rate_hz)
    return path


def _kaldi(folder: Path, **files: str) -> Path:
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        (folder / name.replace("wav_scp", "wav.scp")).write_text(content, encoding="utf-8")
    return folder


def test_kaldi_with_segments(run: Run, tmp_path: Path) -> None:
    _sound(tmp_path / "wav/r1.wav", 2.0)
    folder = _kaldi(
        tmp_path / "data",
        wav_scp="r1 wav/r1.wav\n",
        segments="u1 r1 0.5 1.25\nu2 r1 1.25 2.0\nu3 r1 1.9 2.5\n",
        text="u1 hello there\nu2\nu3 too late\n",
        utt2spk="u1 anna\nu2 anna\nu3 anna\n",
    )
    assert run("kaldi", folder, "--root", tmp_path, "--out", tmp_path / "m.jsonl") == 0
    first, second = read_manifest(tmp_path / "m.jsonl").utterances
    assert (first.text, first.speaker, first.offset, first.duration) == (
        "hello there",
        "anna",
        0.5,
        0.75,
    )
    assert (second.text, second.offset) == ("", 1.25)
    assert len(read_audio(first, 8000)) == 6000


def test_kaldi_without_segments(run: Run, tmp_path: Path) -> None:
    folder = _kaldi(
        tmp_path / "data", wav_scp=f"u1 {_sound(tmp_path / 'a b.wav')}\n", text="u1 hello\n"
    )
    assert run("kaldi", folder, "--out", tmp_path / "m.jsonl") == 0
    (one,) = read_manifest(tmp_path / "m.jsonl")
    assert (one.text, one.speaker, one.offset, one.duration) == ("hello", None, 0.0, 0.1)


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({"text": "u1 a\n"}, r"wav\.scp: expected a file"),
        ({"wav_scp": "u1 sph2pipe a.sph |\n", "text": "u1 a\n"}, r"wav\.scp:1: .*sph2pipe"),
        ({"wav_scp": "u1 a.wav\nu1 b.wav\n", "text": "u1 a\n"}, r"wav\.scp:2: .*'u1'"),
        ({"wav_scp": "u1 a.wav\n", "text": "u2 a\n"}, r"wav\.scp:1: .*'u1'"),
        (
            {"wav_scp": "r a.wav\n", "text": "u a\n", "segments": "u r 1\n"},
            r"segments:1: .*start and end",
        ),
        (
            {"wav_scp": "r a.wav\n", "text": "u a\n", "segments": "u r 2 1\n"},
            r"segments:1: .*start < end",
        ),
        (
            {"wav_scp": "r a.wav\n", "text": "u a\n", "segments": "u r 0 nan\n"},
            r"segments:1: .*start < end",
        ),
        ({"wav_scp": "r a.wav\n", "text": "u a\n", "segments": "u q 0 1\n"}, r"segments:1: .*'q'"),
        (
            {"wav_scp": "u a.wav\n", "text": "u a\n"},
            r"no utterance that can be used\n  wav\.scp:1: .*a\.wav",
        ),
    ],
)
def test_broken_kaldi_folders(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str], files: dict[str, str], reason: str
) -> None:
    assert run("kaldi", _kaldi(tmp_path / "data", **files), "--out", tmp_path / "m.jsonl") == 1
    assert re.search(f"^ctcasr: .*{reason}", capsys.readouterr().err)
    assert not (tmp_path / "m.jsonl").exists()


@pytest.mark.parametrize("name", ["text", "wav.scp", "utt2spk", "spk2gender"])
def test_a_file_of_the_corpus_is_not_written_over(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    sound = _sound(tmp_path / "1.wav")
    folder = _kaldi(
        tmp_path / "k",
        wav_scp=f"u1 {sound}\n",
        text="u1 hello\n",
        utt2spk="u1 anna\n",
        spk2gender="anna f\n",
    )
    before = (folder / name).read_bytes()
    assert run("kaldi", folder, "--out", folder / name) == 1
    assert f"{name}: expected a new file, or a manifest" in capsys.readouterr().err
    assert (folder / name).read_bytes() == before
    for _ in range(2):  # a manifest may lie in the corpus's folder, and be made again
        assert run("kaldi", folder, "--out", folder / "train.jsonl") == 0


def test_a_segment_may_end_with_its_recording(run: Run, tmp_path: Path) -> None:
    sound = _sound(tmp_path / "r1.wav", 2.0)
    folder = _kaldi(
        tmp_path / "data",
        wav_scp=f"r1 {sound}\n",
        segments="u1 r1 0.5 -1\nu2 r1 0 -1.0\n",
        text="u1 a\nu2 b\n",
    )
    assert run("kaldi", folder, "--out", tmp_path / "m.jsonl") == 0
    lines = read_manifest(tmp_path / "m.jsonl")
    assert [(line.offset, line.duration) for line in lines] == [(0.5, 1.5), (0.0, 2.0)]
