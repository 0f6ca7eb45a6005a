"""Plain WAV files by their chunks: the same samples as libsndfile, and its road for all that is not plain."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import given
from hypothesis import strategies as st

from ctcasr.data import AudioError, read_audio
from ctcasr.data.wave import plain_wave

Write = Callable[..., Path]


@pytest.mark.parametrize("kind", ["WAV", "RF64", "WAVEX"])
def test_samples_are_libsndfiles(write: Write, kind: str) -> None:
    path = write("a.wav", 4000, format=kind, subtype="PCM_16")
    wave = plain_wave(path)
    assert wave is not None and (wave.rate_hz, wave.frames) == (16000, 4000)
    assert torch.equal(
        wave.read(0, 4000), torch.from_numpy(soundfile.read(path, dtype="float32")[0])
    )
    assert torch.equal(wave.read(1234, 77), wave.read(0, 4000)[1234:1311])


@given(
    st.lists(
        st.tuples(st.sampled_from([b"LIST", b"JUNK", b"bext", b"id3 "]), st.integers(0, 200)),
        max_size=5,
    )
)
def test_other_chunks_are_passed_over(
    tmp_path_factory: pytest.TempPathFactory, chunks: list[tuple[bytes, int]]
) -> None:
    path = tmp_path_factory.mktemp("w") / "a.wav"
    samples = np.arange(-50, 50, dtype="<i2").tobytes()
    fmt = struct.pack("<HHIIHH", 1, 1, 8000, 16000, 2, 16)
    body = b"".join(
        name + struct.pack("<I", size) + bytes(size + size % 2) for name, size in chunks
    )
    content = (
        b"WAVE"
        + b"fmt "
        + struct.pack("<I", len(fmt))
        + fmt
        + body
        + b"data"
        + struct.pack("<I", len(samples))
        + samples
    )
    path.write_bytes(b"RIFF" + struct.pack("<I", len(content)) + content)
    wave = plain_wave(path)
    assert wave is not None and wave.read(0, 100).tolist() == [n / 32768 for n in range(-50, 50)]


@pytest.mark.parametrize(
    "how",
    [
        {"subtype": "PCM_24"},
        {"subtype": "FLOAT"},
        {"channels": 2},
        {"subtype": "ULAW"},
        {"format": "FLAC"},
        {"subtype": "MS_ADPCM"},
        {"samples": np.zeros(0, np.int16)},
    ],
)
def test_everything_else_is_left_to_libsndfile(write: Write, how: dict) -> None:
    assert plain_wave(write("b.wav", **how)) is None


def test_files_that_are_no_wave_are_not_taken_for_one(tmp_path: Path) -> None:
    broken = {
        "empty": b"",
        "short": b"RIFF",
        "text": b"RIFF but a text after all, you see",
        "none": b"RIFF\0\0\0\0WAVE",
    }
    for name, content in broken.items():
        (tmp_path / name).write_bytes(content)
        assert plain_wave(tmp_path / name) is None
    assert plain_wave(tmp_path) is None and plain_wave(tmp_path / "missing") is None


def test_a_file_that_is_written_anew_is_seen_anew(write: Write) -> None:
    assert len(read_audio(write("a.wav", 4000), 16000)) == 4000
    assert len(read_audio(write("a.wav", 5000), 16000)) == 5000


def test_a_file_that_shrinks_while_it_is_read_is_told(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write("a.wav", 4000)
    whole = plain_wave(path)
    path.write_bytes(path.read_bytes()[:1000])
    monkeypatch.setattr("ctcasr.data.audio.plain_wave", lambda path: whole)
    with pytest.raises(AudioError, match=r"a\.wav: expected 4000 samples .* cut while"):
        read_audio(path, 16000)
