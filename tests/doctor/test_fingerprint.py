"""Copies are found whatever was done to them; what is no copy is none."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from torch import Tensor

from ctcasr.data import read_audio, read_manifest, resample
from ctcasr.doctor.fingerprint import RATE_HZ, Fingerprint, FingerprintIndex, fingerprint

FILE_HZ = 16000


def of(samples: Tensor) -> Fingerprint | None:
    return fingerprint(resample(samples, FILE_HZ, RATE_HZ, ""))


def through(samples: Tensor, kind: str, subtype: str) -> Tensor:
    file = io.BytesIO()
    soundfile.write(file, samples.numpy(), FILE_HZ, format=kind, subtype=subtype)
    file.seek(0)
    return torch.from_numpy(soundfile.read(file, dtype="float32")[0])


def at_rate(samples: Tensor, rate_hz: int) -> Tensor:
    return resample(resample(samples, FILE_HZ, rate_hz, ""), rate_hz, FILE_HZ, "")


def noisy(samples: Tensor) -> Tensor:
    noise = torch.randn(len(samples), generator=torch.Generator().manual_seed(0))
    return samples + 0.1 * samples.std() * noise


COPIES: dict[str, Callable[[Tensor], Tensor]] = {
    "gain": lambda samples: 0.05 * samples,
    "MP3": lambda samples: through(samples, "MP3", "MPEG_LAYER_III"),
    "Vorbis": lambda samples: through(samples, "OGG", "VORBIS"),
    "trimmed": lambda samples: samples[3211:-1777],
    "8 kHz": lambda samples: at_rate(samples, 8000),
    "44.1 kHz": lambda samples: at_rate(samples, 44100),
    "noise at 20 dB": noisy,
}


def test_silence_and_moments_have_no_fingerprint() -> None:
    assert of(torch.zeros(16000)) is None
    assert of(torch.randn(800)) is None


def test_a_shifted_copy_is_found_and_noise_is_not() -> None:
    draw = torch.Generator().manual_seed(0)
    sounds = [torch.randn(24000, generator=draw) for _ in range(5)]
    index = FingerprintIndex([of(sound) for sound in sounds])
    copy, other = of(sounds[3][1000:]), of(torch.randn(24000, generator=draw))
    assert copy is not None and other is not None
    assert index.copy_of(copy) == 3
    assert index.copy_of(other) is None


def test_an_index_of_nothing_finds_nothing() -> None:
    own = of(torch.randn(24000, generator=torch.Generator().manual_seed(0)))
    assert own is not None
    assert FingerprintIndex([None]).copy_of(own) is None


@pytest.mark.slow
@pytest.mark.parametrize("corpus", ["librispeech_samples", "an4", "grid_s1"])
def test_forty_of_forty_two_copies_are_found_and_nothing_else(corpus: str, data_root: Path) -> None:
    train = read_manifest(data_root / corpus / "train.jsonl").utterances
    valid = read_manifest(data_root / corpus / "valid.jsonl").utterances
    sounds = [read_audio(utterance, FILE_HZ) for utterance in train[:: max(1, len(train) // 200)]]
    index = FingerprintIndex([of(sound) for sound in sounds])
    found = 0
    for number in np.linspace(0, len(sounds) - 1, 6).astype(int).tolist():
        for change in COPIES.values():
            copy = of(change(sounds[number]))
            found += copy is not None and index.copy_of(copy) == number
    assert found >= 40
    for utterance in valid:
        own = of(read_audio(utterance, FILE_HZ))
        assert own is None or index.copy_of(own) is None, utterance.id
