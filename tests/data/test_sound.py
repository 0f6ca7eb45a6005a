"""Sound as callers hand it over: it is heard the same whatever it came as; what is none is told."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from ctcasr.data import AudioError
from ctcasr.data.sound import clips_of, native_samples, samples_of

RATE = 8000
WAVE = torch.sin(0.05 * torch.arange(4000)) * 0.5


@pytest.fixture
def path(tmp_path: Path) -> Path:
    soundfile.write(tmp_path / "a.wav", WAVE.numpy(), RATE, subtype="FLOAT")
    return tmp_path / "a.wav"


def test_paths_open_files_tensors_and_arrays_are_one_sound(path: Path) -> None:
    content = io.BytesIO(path.read_bytes())
    for sound in (path, str(path), content, WAVE, WAVE.numpy(), WAVE.double()[None]):
        assert torch.equal(samples_of(sound, RATE, RATE), WAVE)


def test_one_sound_or_several(path: Path) -> None:
    with open(path, "rb") as file:
        assert [len(clip) for clip in clips_of(file, None, RATE)] == [4000]
    sounds = [path, WAVE.numpy(), torch.stack([WAVE, WAVE])]
    assert [len(clip) for clip in clips_of(sounds, RATE, RATE)] == [4000] * 3
    assert [len(clip) for clip in clips_of(torch.stack([WAVE, WAVE]), RATE, RATE)] == [4000]
    assert list(clips_of([], RATE, RATE)) == []


def test_another_rate_is_resampled(path: Path) -> None:
    for sound in (path, WAVE):
        assert samples_of(sound, RATE, 16000).shape == (8000,)


def test_the_one_of_several_that_is_none_is_named() -> None:
    with pytest.raises(AudioError, match=r"sound 1: .*int64"):
        list(clips_of([WAVE, np.arange(5)], RATE, RATE))
    for wrong in ([0.5, 0.1], 7, None):
        with pytest.raises(AudioError):
            list(clips_of(wrong, RATE, RATE))  # type: ignore[arg-type]


def test_the_rate_of_its_own(path: Path) -> None:
    for sound, rate_hz in ((path, None), (io.BytesIO(path.read_bytes()), None), (WAVE, RATE)):
        samples, native_hz = native_samples(sound, rate_hz)
        assert native_hz == RATE and torch.equal(samples, WAVE)
    with pytest.raises(AudioError, match="open sound file"):
        native_samples(io.BytesIO(b"no sound"))
    with pytest.raises(AudioError, match="rate_hz"):
        native_samples(WAVE)
    for wrong in (None, 3, [0.5]):
        with pytest.raises(AudioError, match="a file or an array of samples"):
            native_samples(wrong)  # type: ignore[arg-type]
