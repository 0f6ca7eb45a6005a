"""WAV files by their chunks: libsndfile's samples, and headers that cannot be true."""

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

from ctcasr.data import AudioError, audio_info, read_audio
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


# Headers as they come from pipes. `KINDS`: plain 16-bit mono, which no decoder reads, and others.

KINDS = {
    "plain": {"subtype": "PCM_16"},
    "stereo": {"subtype": "PCM_16", "channels": 2},
    "float": {"subtype": "FLOAT"},
}


@pytest.fixture(params=KINDS)
def whole(request: pytest.FixtureRequest, write: Write) -> Path:
    """A good file of 4000 samples at 16 kHz."""
    kind = dict(KINDS[request.param])
    shape = (4000, kind.pop("channels", 1))
    sound = np.random.default_rng(0).integers(-9000, 9000, shape) / 32768
    return write("whole.wav", sound, **kind)


def with_size(path: Path, size: int, behind: bytes = b"", name: str = "changed.wav") -> Path:
    """The file with another size of its samples in the header, and bytes behind it."""
    content = bytearray(path.read_bytes())
    place = content.index(b"data") + 4
    content[place : place + 4] = struct.pack("<I", size)
    changed = path.with_name(name)
    changed.write_bytes(bytes(content) + behind)
    return changed


def data_size(path: Path) -> int:
    content = path.read_bytes()
    return struct.unpack_from("<I", content, content.index(b"data") + 4)[0]


def every_view(path: Path) -> list[int]:
    """Samples by every road: decoded, by the header, from an open file."""
    with path.open("rb") as file:
        opened = read_audio(file, 16000)
    return [len(read_audio(path, 16000)), audio_info(path).frames, len(opened)]


@pytest.mark.parametrize(
    "size", [0x7FFFF000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0xFFFFFFFF - 44, 0]
)
def test_a_size_that_cannot_be_true_means_the_end(whole: Path, size: int) -> None:
    changed = with_size(whole, size)
    assert every_view(changed) == [4000] * 3
    assert torch.equal(read_audio(changed, 16000), read_audio(whole, 16000))


@pytest.mark.parametrize("more", [44, 1, 3000])
def test_a_missing_tail_below_a_tenth_of_a_second_is_read(whole: Path, more: int) -> None:
    changed = with_size(whole, data_size(whole) + more)
    assert every_view(changed) == [4000] * 3


def test_a_truncated_file_is_told_by_every_road(whole: Path) -> None:
    changed = with_size(whole, 3 * data_size(whole))
    for road in (every_view, audio_info, lambda path: read_audio(path, 16000)):
        with pytest.raises(AudioError, match=r"changed\.wav: .*the file is truncated"):
            road(changed)


def test_sound_behind_the_samples_is_told(whole: Path) -> None:
    noise = np.random.default_rng(0).integers(1, 255, data_size(whole), dtype=np.uint8).tobytes()
    changed = with_size(whole, data_size(whole), b"\0\x01" + noise)
    for road in (audio_info, lambda path: read_audio(path, 16000)):
        with pytest.raises(AudioError, match="more bytes lie behind them that are no chunk"):
            road(changed)


@pytest.mark.parametrize(
    "behind",
    [
        b"LIST" + struct.pack("<I", 4) + b"INFO",
        b"id3 " + struct.pack("<I", 9000) + bytes(9000),
        bytes(20000),  # padding
        b"x" * 100,
        b"TAG" + b" " * 125,
    ],
    ids=["LIST", "id3", "padding", "few", "ID3v1"],
)
def test_what_may_lie_behind_the_samples_may(whole: Path, behind: bytes) -> None:
    changed = with_size(whole, data_size(whole), behind)
    assert every_view(changed) == [4000] * 3
    assert torch.equal(read_audio(changed, 16000), read_audio(whole, 16000))


@pytest.mark.parametrize("open_end", [False, True])
def test_two_files_one_behind_the_other_are_told_by_every_road(whole: Path, open_end: bool) -> None:
    size = 0xFFFFFFFF if open_end else data_size(whole)
    changed = with_size(whole, size, whole.read_bytes())
    for road in (audio_info, lambda path: read_audio(path, 16000)):
        with pytest.raises(AudioError, match="another WAV file lies behind the first"):
            road(changed)


def test_an_empty_file_with_a_chunk_behind_is_empty(write: Write) -> None:
    empty = write("empty.wav", np.zeros(0, np.int16))
    changed = with_size(empty, 0, b"LIST" + struct.pack("<I", 4) + b"INFO")
    for road in (audio_info, lambda path: read_audio(path, 16000)):
        with pytest.raises(AudioError, match="a header and none"):
            road(changed)


def test_damaged_headers_are_read_or_named_alike(write: Write) -> None:
    content = write("good.wav", 400).read_bytes()
    draw = np.random.default_rng(0)
    path = write("bad.wav", 10)
    outcomes = set()
    for _ in range(1000):
        damaged = bytearray(content)
        for place in draw.integers(0, 60, draw.integers(1, 4)):
            damaged[place] = draw.integers(0, 256)
        path.write_bytes(damaged[: draw.integers(20, len(damaged) + 1)])
        try:
            info = audio_info(path)
        except AudioError as error:
            assert "bad.wav: expected" in str(error)
            with pytest.raises(AudioError, match=r"bad\.wav: expected"):
                read_audio(path, 16000)
            outcomes.add(False)
        else:
            assert len(read_audio(path, info.rate_hz)) == info.frames
            outcomes.add(True)
    assert outcomes == {True, False}
