"""Provenance: files by their hashes, and enhanced ones by their sidecars."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from ctcasr.batch import Utterance
from ctcasr.data import fingerprint, provenance_of
from ctcasr.data.provenance import fingerprint_if_there


def test_a_fingerprint_sees_length_beginning_and_end(tmp_path: Path) -> None:
    contents = [b"x" * 300_000, b"x" * 300_001, b"y" + b"x" * 299_999, b"x" * 299_999 + b"y", b""]
    marks = []
    for content in contents:
        (tmp_path / "file").write_bytes(content)
        marks.append(fingerprint(tmp_path / "file"))
    assert len(set(marks)) == len(contents) and all(len(mark) == 16 for mark in marks)
    with pytest.raises(FileNotFoundError):
        fingerprint(tmp_path / "none")


def test_each_file_counts_once_and_missing_ones_not(write: Callable[..., Path]) -> None:
    one = write("one.wav", 100)
    other = write("other.wav", 200)
    lines = [
        Utterance(one),
        Utterance(one, offset=0.001),
        Utterance(one.with_name("none.wav"), extra={"source_filepath": str(other)}),
    ]
    provenance = provenance_of(lines)
    assert provenance["files"] == sorted([fingerprint(one), fingerprint(other)])
    assert provenance["enhanced"] == 0


def test_of_scenes_the_speech_and_what_is_beside_it_count_too(write: Callable[..., Path]) -> None:
    noisy, clean, noise = (write(f"{name}.wav", count) for count, name in enumerate("abc", 100))
    extra = {
        "target_filepath": str(clean),
        "interferer_filepath": str(noise),
        "speech_fingerprint": "0123456789abcdef",
        "interferer_fingerprint": None,
    }
    files = provenance_of([Utterance(noisy, extra=extra)])["files"]
    assert files == sorted([*map(fingerprint, (noisy, clean, noise)), "0123456789abcdef"])


def test_a_line_may_say_it_itself(tmp_path: Path) -> None:
    (tmp_path / "x.wav").write_bytes(b"1")
    assert provenance_of([Utterance(tmp_path / "x.wav")])["enhanced"] == 0
    assert (
        provenance_of([Utterance(tmp_path / "x.wav", extra={"enhanced_by": "y"})])["enhanced"] == 1
    )


def test_what_is_no_file_has_no_fingerprint(tmp_path: Path) -> None:
    (tmp_path / "folder.wav").mkdir()
    (tmp_path / "link.wav").symlink_to(tmp_path / "nowhere")
    (tmp_path / "loop.wav").symlink_to("loop.wav")
    os.mkfifo(tmp_path / "pipe.wav")
    for name in ("folder.wav", "link.wav", "loop.wav", "pipe.wav", "none", "x" * 5000, "a\0b"):
        assert fingerprint_if_there(tmp_path / name) is None, name
    (tmp_path / "x.wav").write_bytes(b"1")
    assert fingerprint_if_there(tmp_path / "x.wav") == fingerprint(tmp_path / "x.wav")
    lines = [Utterance(tmp_path / name) for name in ("x.wav", "link.wav", "x" * 5000)]
    assert provenance_of(lines)["files"] == [fingerprint(tmp_path / "x.wav")]
