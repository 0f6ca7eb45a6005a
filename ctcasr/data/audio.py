"""Sound files as samples: one channel, one rate, and a clear word about every file that is not what it should be."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch
from torch import Tensor

from ctcasr.batch import Utterance
from ctcasr.data.wave import plain_wave

TOLERANCE_S = 0.1  # by so much a manifest may say more than the file holds
_ROUNDING_S = 0.001  # durations are written with three digits: so near to the end means the end
_UNKNOWN_LENGTH = 2**48  # libsndfile's way to say that a header leaves the length open
_STREAMED = (
    0,
    0x7FFFFFFF,
    0x80000000,
    0xFFFFFFFF,
)  # in WAV headers that were written before the end was known


class AudioError(ValueError):
    """A sound file that cannot be used; says which, and why."""


@dataclass(frozen=True)
class AudioInfo:
    """What the header says."""

    rate_hz: int
    frames: int
    channels: int

    @property
    def duration_s(self) -> float:
        return self.frames / self.rate_hz


def audio_info(path: Path | str) -> AudioInfo:
    """Rate, length and channels from the header alone; AudioError where there is none."""
    with _opened(Path(path)) as file:
        return AudioInfo(file.samplerate, file.frames, file.channels)


def read_audio(
    source: Utterance | Path | str,
    rate_hz: int,
    offset_s: float = 0.0,
    duration_s: float | None = None,
) -> Tensor:
    """Samples [N] float32 at `rate_hz`, mean of the channels, of a file, or of the part of it that an utterance names.

    AudioError where the file is missing, empty, truncated, no audio, without samples, holds NaN, or is shorter than
    asked for by more than 0.1 s.
    """
    if isinstance(source, Utterance):
        path, offset_s, duration_s = source.audio_filepath, source.offset, source.duration
    else:
        path = Path(source)
    wave = plain_wave(path)
    if wave is None:
        samples, native_hz = _decoded(path, offset_s, duration_s)
        return resample(samples, native_hz, rate_hz, str(path))
    first, count = _part(path, wave.frames, wave.rate_hz, offset_s, duration_s)
    samples = wave.read(first, count)
    if len(samples) < count:
        raise AudioError(
            f"{path}: expected {count} samples from {first} on; got {len(samples)}; the file was cut while it was read"
        )
    return resample(samples, wave.rate_hz, rate_hz, str(path))


def _decoded(path: Path, offset_s: float, duration_s: float | None) -> tuple[Tensor, int]:
    """Samples by libsndfile, and their rate."""
    with _opened(path) as file:
        native_hz = file.samplerate
        first, count = _part(path, file.frames, native_hz, offset_s, duration_s)
        data: Any = ()
        reason = "truncated?"
        try:
            if first:
                file.seek(first)
            data = file.read(count, dtype="float32", always_2d=True)
        except (RuntimeError, OSError) as error:
            reason = f"truncated? {error}"
    if len(data) < count:
        raise AudioError(
            f"{path}: expected {count} samples from {first} on; decoding gave {len(data)} ({reason})"
        )
    finite = np.isfinite(data).all(axis=1)
    if not finite.all():
        bad = len(finite) - int(finite.sum())
        raise AudioError(
            f"{path}: expected finite samples; got {bad} NaN or infinite ones of {len(finite)}"
        )
    samples = torch.from_numpy(data)
    return samples[:, 0] if samples.shape[1] == 1 else samples.mean(dim=1), native_hz


def resample(samples: Tensor, from_hz: int, to_hz: int, name: str = "audio") -> Tensor:
    """Samples [..., N] at another rate, by torchaudio's windowed sinc; AudioError for a ratio of huge terms."""
    if from_hz == to_hz:
        return samples
    common = math.gcd(from_hz, to_hz)
    if from_hz // common * (to_hz // common) > 2**26:
        raise AudioError(
            f"{name}: {from_hz} Hz to {to_hz} Hz would need a filter of gigabytes; convert the file first"
        )
    resampled: Tensor = _resampler(from_hz, to_hz)(samples)
    return resampled


@lru_cache(maxsize=16)
def _resampler(from_hz: int, to_hz: int) -> Any:
    from torchaudio.transforms import Resample

    return Resample(from_hz, to_hz)


def _opened(path: Path) -> soundfile.SoundFile:
    if not path.is_file():
        found = "a folder" if path.is_dir() else "nothing"
        raise AudioError(
            f"{path}: expected a sound file; found {found} there (manifest paths start at the manifest)"
        )
    if path.stat().st_size == 0:
        raise AudioError(f"{path}: expected a sound file; it is empty (0 bytes)")
    try:
        file = soundfile.SoundFile(path)
    except (RuntimeError, OSError, TypeError) as error:  # TypeError: headerless, by the file's name
        raise AudioError(
            f"{path}: expected a sound file for libsndfile (WAV, FLAC, OGG ...); {error}"
        ) from error
    problem = _header_problem(file)
    if problem:
        file.close()
        raise AudioError(f"{path}: {problem}")
    return file


def _header_problem(file: soundfile.SoundFile) -> str | None:
    if file.frames == 0:
        return "expected samples; the file has a header and none"
    if file.frames > _UNKNOWN_LENGTH:
        return "expected a header with a length; an encoder that wrote to a pipe left it open; encode the file again"
    # libsndfile cuts a truncated WAV to what is there and tells only its log
    promised = re.search(r"^data : (\d+) \(should be (\d+)\)", file.extra_info, re.MULTILINE)
    if promised and int(promised[1]) > int(promised[2]) and int(promised[1]) not in _STREAMED:
        return f"expected {promised[1]} bytes of samples, as its header says; got {promised[2]}; the file is truncated"
    return None


def _part(
    path: Path, frames: int, rate_hz: int, offset_s: float, duration_s: float | None
) -> tuple[int, int]:
    """First sample and number of samples to read, at the file's own rate."""
    first = round(offset_s * rate_hz)
    left = frames - first
    wanted = left if duration_s is None else round(duration_s * rate_hz)
    if left <= 0 or wanted - left > TOLERANCE_S * rate_hz:
        asked = f"offset {first / rate_hz:.3f} s" + (
            "" if duration_s is None else f" and {duration_s:.3f} s from there"
        )
        raise AudioError(
            f"{path}: expected {asked}, as the manifest says; the file lasts {frames / rate_hz:.3f} s; "
            "correct the manifest, or the file is truncated"
        )
    if left - wanted <= _ROUNDING_S * rate_hz:
        return first, left
    if wanted == 0:
        raise AudioError(f"{path}: expected a duration above 0; got {duration_s} s")
    return first, wanted
