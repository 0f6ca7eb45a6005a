"""Reading sound: exact samples, segments by seeking, and every kind of bad file."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from ctcasr.batch import Utterance
from ctcasr.data import AudioError, audio_info, read_audio, resample
from ctcasr.data.audio import read_channels

Write = Callable[..., Path]


@pytest.mark.parametrize("kind", ["wav", "flac"])
def test_samples_are_exactly_those_of_the_16_bits(write: Write, kind: str) -> None:
    samples = np.arange(-32768, 32768, 7, dtype=np.int16)
    read = read_audio(write(f"a.{kind}", samples), 16000)
    assert read.dtype == torch.float32
    assert torch.equal(read, torch.from_numpy(samples).to(torch.float32) / 32768)


@pytest.mark.parametrize("kind", ["wav", "flac", "ogg"])
@pytest.mark.parametrize(
    ("offset_s", "duration_s"), [(0.0, 0.5), (0.25, 0.5), (1.5, None), (1.25, 0.75), (0.0, None)]
)
def test_a_segment_is_the_slice_of_the_whole(
    write: Write, kind: str, offset_s: float, duration_s: float | None
) -> None:
    path = write(f"a.{kind}", 32000)
    whole = read_audio(path, 16000)
    end = None if duration_s is None else round((offset_s + duration_s) * 16000)
    part = read_audio(path, 16000, offset_s, duration_s)
    torch.testing.assert_close(
        part, whole[round(offset_s * 16000) : end], rtol=0, atol=1e-6 if kind == "ogg" else 0
    )
    assert torch.equal(part, read_audio(Utterance(path, duration_s, offset=offset_s), 16000))


def test_a_segment_is_sought_not_decoded_from_the_start(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded: list[int] = []
    read = soundfile.SoundFile.read

    def counting(file: soundfile.SoundFile, frames: int, **how: object) -> np.ndarray:
        decoded.append(frames)
        return read(file, frames, **how)

    path = write("long.flac", 160000)
    monkeypatch.setattr(soundfile.SoundFile, "read", counting)
    assert len(read_audio(path, 16000, 9.0, 0.5)) == 8000
    assert decoded == [8000]


def test_channels_are_averaged(write: Write) -> None:
    stereo = np.random.default_rng(0).integers(-9000, 9000, (4000, 2), dtype=np.int16)
    read = read_audio(write("stereo.wav", stereo), 16000)
    torch.testing.assert_close(read, torch.from_numpy(stereo.mean(axis=1) / 32768).float())


@pytest.mark.parametrize(
    ("from_hz", "to_hz"), [(8000, 16000), (44100, 16000), (16000, 8000), (22050, 16000)]
)
def test_a_tone_keeps_its_pitch_and_level_at_another_rate(
    write: Write, from_hz: int, to_hz: int
) -> None:
    time = np.arange(from_hz) / from_hz
    read = read_audio(
        write("tone.wav", 0.5 * np.sin(2 * np.pi * 440 * time), from_hz, subtype="FLOAT"), to_hz
    )
    assert len(read) == to_hz
    expected = 0.5 * torch.sin(
        2 * torch.pi * 440 * torch.arange(to_hz, dtype=torch.float64) / to_hz
    )
    middle = slice(to_hz // 10, -to_hz // 10)  # the filter sees silence around the ends
    torch.testing.assert_close(read[middle].double(), expected[middle], rtol=0, atol=2e-3)


def test_rates_without_a_small_ratio_are_refused() -> None:
    with pytest.raises(AudioError, match=r"x\.wav: 44101 Hz"):
        resample(torch.zeros(10), 44101, 16000, "x.wav")


def test_silence_and_single_samples_are_sound(write: Write) -> None:
    assert read_audio(write("silent.wav", np.zeros(800, np.int16)), 16000).tolist() == [0.0] * 800
    single = write("single.wav", np.full(1, 16384, np.int16))
    assert read_audio(single, 16000).tolist() == [0.5]
    assert read_audio(Utterance(single, 0.0), 16000).tolist() == [0.5]  # a duration of three digits


def test_header(write: Write) -> None:
    info = audio_info(write("a.flac", 4000, 8000, 2))
    assert (info.rate_hz, info.frames, info.channels, info.duration_s) == (8000, 4000, 2, 0.5)


def test_rounded_durations_read_to_the_end(write: Write) -> None:
    path = write("a.wav", 47649)  # 2.9780625 s
    assert len(read_audio(Utterance(path, 2.978), 16000)) == 47649
    assert len(read_audio(Utterance(path, 2.95), 16000)) == 47200


def test_a_manifest_may_say_a_little_more_but_not_much(write: Write) -> None:
    path = write("a.wav", 16000)
    assert len(read_audio(Utterance(path, 1.09), 16000)) == 16000
    with pytest.raises(
        AudioError, match=r"a\.wav: expected offset 0\.000 s and 1\.200 s .*lasts 1\.000 s"
    ):
        read_audio(Utterance(path, 1.2), 16000)
    with pytest.raises(AudioError, match=r"offset 0\.500 s and 0\.700 s .*lasts 1\.000 s"):
        read_audio(Utterance(path, 0.7, offset=0.5), 16000)
    with pytest.raises(AudioError, match=r"offset 1\.500 s.*lasts 1\.000 s"):
        read_audio(Utterance(path, offset=1.5), 16000)
    with pytest.raises(AudioError, match="duration above 0"):
        read_audio(Utterance(path, 0.0), 16000)


@pytest.mark.parametrize("kind", ["wav", "flac", "mp3"])
def test_truncated_files_are_told_without_a_manifest(write: Write, kind: str) -> None:
    path = write(f"cut.{kind}", 48000)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    with pytest.raises(AudioError, match=rf"cut\.{kind}: expected .*truncated"):
        read_audio(path, 16000)


def test_truncated_ogg_is_told_by_the_manifest(write: Write) -> None:
    path = write("cut.ogg", 48000)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(AudioError, match=r"expected .* 3\.000 s .*truncated"):
        read_audio(Utterance(path, 3.0), 16000)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
@pytest.mark.parametrize("read", [audio_info, lambda path: read_audio(path, 16000)])
def test_a_pipe_is_refused_and_not_waited_for(
    read: Callable[[Path], object], tmp_path: Path
) -> None:
    path = tmp_path / "pipe.wav"
    os.mkfifo(path)
    with pytest.raises(AudioError, match="found a pipe or a device there"):
        read(path)


def test_a_wav_that_was_written_to_a_pipe_is_read(write: Write) -> None:
    path = write("pipe.wav", 4000)
    content = bytearray(path.read_bytes())
    content[40:44] = b"\xff" * 4  # size of the data chunk: unknown
    path.write_bytes(content)
    assert len(read_audio(path, 16000)) == 4000


def test_a_flac_without_its_length_is_refused(write: Write) -> None:
    path = write("pipe.flac", 4000)
    content = bytearray(path.read_bytes())
    content[21] &= 0xF0
    content[22:26] = bytes(4)  # total samples in STREAMINFO: unknown
    path.write_bytes(content)
    with pytest.raises(AudioError, match="encode the file again"):
        read_audio(path, 16000)


def test_files_that_are_no_sound(write: Write, tmp_path: Path) -> None:
    (tmp_path / "text.wav").write_text("this is no sound, whatever its name says")
    (tmp_path / "none.wav").write_bytes(b"")
    (tmp_path / "bare.raw").write_bytes(bytes(100))
    (tmp_path / "folder.wav").mkdir()
    write("header.wav", np.zeros(0, np.int16))
    for name, reason in {
        "missing.wav": "found nothing",
        "folder.wav": "found a folder there: name the files in it",
        "none.wav": "0 bytes",
        "text.wav": "libsndfile.*ffmpeg -i",
        "bare.raw": "libsndfile",
        "header.wav": "a header and none",
    }.items():
        with pytest.raises(AudioError, match=rf"{name}: expected .*{reason}"):
            read_audio(tmp_path / name, 16000)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_samples_that_are_no_numbers(write: Write, bad: float) -> None:
    samples = np.zeros((100, 2), np.float32)
    samples[7, 1] = bad
    with pytest.raises(AudioError, match=r"bad\.wav: expected finite samples; got 1 .*of 100"):
        read_audio(write("bad.wav", samples, subtype="FLOAT"), 16000)


@pytest.mark.parametrize(
    "name", ["grid_s1/valid", "fsdd/test", "librispeech_samples/valid", "esc10/fold1", "rirs/all"]
)
def test_recordings_last_as_long_as_their_manifest_says(data_root: Path, name: str) -> None:
    from ctcasr.data import read_manifest

    for utterance in list(read_manifest(data_root / f"{name}.jsonl"))[:10]:
        assert utterance.duration is not None
        assert abs(len(read_audio(utterance, 16000)) / 16000 - utterance.duration) < 0.01


@pytest.mark.parametrize("kind", ["FLAC", "OGG", "AIFF", "W64", "CAF", "AU", "MP3"])
def test_damaged_files_of_every_kind_are_read_or_named(kind: str) -> None:
    whole = io.BytesIO()
    sound = 0.1 * np.random.default_rng(0).standard_normal(3000)
    soundfile.write(whole, sound, 16000, format=kind)
    draw = np.random.default_rng(1)
    for _ in range(60):
        damaged = bytearray(whole.getvalue())
        for place in draw.integers(0, min(len(damaged), 200), draw.integers(1, 6)):
            damaged[place] = draw.integers(0, 256)
        cut = draw.integers(1, len(damaged) + 1)
        try:
            samples, _ = read_channels(io.BytesIO(bytes(damaged[:cut])))
        except AudioError as error:
            assert "an open file: " in str(error)
        else:
            assert 0 < len(samples) < 1_000_000


@pytest.mark.parametrize("rate_hz", [1, 16, 2_000_000])
@pytest.mark.parametrize("channels", [1, 2])
def test_rates_that_no_sound_has_are_told(write: Write, rate_hz: int, channels: int) -> None:
    path = write("odd.wav", 400, rate_hz, channels)
    for road in (audio_info, lambda path: read_audio(path, 16000)):
        with pytest.raises(AudioError, match=rf"odd\.wav: expected a sample rate.*{rate_hz}"):
            road(path)


def test_open_files_are_read_as_their_paths_are(write: Write) -> None:
    for name in ("a.wav", "a.flac"):
        path = write(name, 4000, channels=2)
        with path.open("rb") as file:
            assert torch.equal(read_audio(file, 8000, 0.05), read_audio(path, 8000, 0.05))
    with pytest.raises(AudioError, match="opened as binary"):
        read_audio(io.StringIO("text"), 16000)  # type: ignore[arg-type]
    with pytest.raises(AudioError, match="it is empty"):
        read_audio(io.BytesIO(), 16000)
    with pytest.raises(
        AudioError, match="sound: expected samples, a path, an utterance or an open binary"
    ):
        read_audio(7, 16000)  # type: ignore[arg-type]


def test_a_codec_that_cannot_seek_gives_the_slice_of_the_whole(tmp_path: Path) -> None:
    path = tmp_path / "gsm.wav"
    tone = 0.3 * np.sin(np.arange(16000) / 8)
    soundfile.write(path, tone, 8000, subtype="GSM610")
    whole = read_audio(path, 8000)
    assert torch.equal(read_audio(path, 8000, 0.5, 0.25), whole[4000:6000])
    assert torch.equal(read_audio(path, 8000, 0.0, 0.25), whole[:2000])
