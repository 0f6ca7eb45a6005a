"""Sound files as samples: one channel, one rate, and a clear word about every unusable file."""

from __future__ import annotations

import io
import math
import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
import soundfile
import torch
from torch import Tensor

from ctcasr.batch import Utterance
from ctcasr.data.samples import (
    LEAST_RATE_HZ,
    MOST_RATE_HZ,
    AudioError,
    check_rate,
    one_channel,
)
from ctcasr.data.wave import TOLERANCE_S, plain_wave, wave_layout
from ctcasr.signal.resample import Resample

__all__ = [
    "TOLERANCE_S",
    "AudioError",
    "AudioInfo",
    "audio_info",
    "played_faster",
    "read_audio",
    "read_channels",
    "resample",
]

Source = Path | str | BinaryIO

# What libsndfile reads; what it can read under other names is known by its content.
SOUND_SUFFIXES = frozenset(
    (".aif", ".aifc", ".aiff", ".au", ".caf", ".flac", ".mp3", ".nist", ".oga", ".ogg", ".opus")
    + (".rf64", ".snd", ".sph", ".voc", ".w64", ".wav", ".wave")
)

_ROUNDING_S = 0.001  # durations are written with three digits: so near to the end means the end
_UNKNOWN_LENGTH = 2**48  # libsndfile's way to say that a header leaves the length open
_UNKNOWN_FORMAT = 1  # libsndfile's code where it knows no such format
_CONVERT = " Others (M4A, AAC, videos) are converted first: ffmpeg -i FILE FILE.wav"
_BLOCK = 1 << 24  # frames that are read at once
_LONGEST_FILTER = 2**26  # product of the terms of a ratio of rates: a filter of 256 MiB


@dataclass(frozen=True)
class AudioInfo:
    """What the header says."""

    rate_hz: int
    frames: int
    channels: int

    @property
    def duration_s(self) -> float:
        """Seconds of sound."""
        return self.frames / self.rate_hz


def audio_info(path: Path | str) -> AudioInfo:
    """Rate, length and channels from the header alone.

    Raises:
        AudioError: where `read_audio` raises it for the header.
    """
    path = Path(path)
    wave = plain_wave(path)
    if wave is not None:
        return AudioInfo(wave.rate_hz, wave.frames, 1)
    with open_sound(path) as file:
        return AudioInfo(file.samplerate, file.frames, file.channels)


def read_audio(
    source: Utterance | Source,
    rate_hz: int,
    offset_s: float = 0.0,
    duration_s: float | None = None,
) -> Tensor:
    """Samples [N] float32 at `rate_hz`, mean of the channels, of a file or of a part of it.

    The part is what an utterance names, or `duration_s` seconds from `offset_s` on. A file may be
    a path or an open binary file.

    Raises:
        AudioError: where the file is missing, empty, truncated, no audio, without samples, holds
            NaN or numbers far beyond 1, has channels that cancel each other, or is shorter than
            asked for by more than 0.1 s.

    Example:
        >>> file = io.BytesIO()
        >>> soundfile.write(file, np.full(800, 0.5), 8000, format="WAV")
        >>> _ = file.seek(0)
        >>> read_audio(file, 8000, duration_s=0.05).shape
        torch.Size([400])
    """
    check_rate(rate_hz, "read_audio")
    if isinstance(source, Utterance):
        return read_audio(source.audio_filepath, rate_hz, source.offset, source.duration)
    if not isinstance(source, Path | str):
        samples, native_hz = _decoded(source, offset_s, duration_s)
        return resample(samples, native_hz, rate_hz, _name_of(source))
    path = Path(source)
    wave = plain_wave(path)
    if wave is None:
        samples, native_hz = _decoded(path, offset_s, duration_s)
        return resample(samples, native_hz, rate_hz, str(path))
    first, count = _part(str(path), wave.frames, wave.rate_hz, offset_s, duration_s)
    samples = wave.read(first, count)
    if len(samples) < count:
        raise AudioError(
            f"{path}: expected {count} samples from {first} on; got {len(samples)}; the file was "
            "cut while it was read"
        )
    return resample(samples, wave.rate_hz, rate_hz, str(path))


def _decoded(
    source: Path | BinaryIO, offset_s: float, duration_s: float | None
) -> tuple[Tensor, int]:
    """Samples [N] by libsndfile, and their rate."""
    frames, native_hz = read_channels(source, offset_s, duration_s)
    return one_channel(frames, _name_of(source)), native_hz


def read_channels(
    source: Path | BinaryIO, offset_s: float = 0.0, duration_s: float | None = None
) -> tuple[Tensor, int]:
    """Samples [N, channels] float32 of a file or of a part of it, as they are, and their rate.

    Raises:
        AudioError: as `read_audio` does, but for what the samples hold.
    """
    name = _name_of(source)
    with open_sound(source) as file:
        native_hz = file.samplerate
        first, count = _part(name, file.frames, native_hz, offset_s, duration_s)
        frames = np.empty((0, file.channels), dtype=np.float32)
        reason = "truncated?"
        try:
            if file.seekable():
                file.seek(first)
                frames = _blocks(file, count)
            else:  # GSM 6.10 can only be decoded from the beginning
                frames = _blocks(file, first + count)[first:]
        except (RuntimeError, OSError) as error:
            reason = f"truncated? {error}"
    if len(frames) < count:
        raise AudioError(
            f"{name}: expected {count} samples from {first} on; decoding gave {len(frames)} "
            f"({reason})"
        )
    return torch.from_numpy(frames), native_hz


def _blocks(file: soundfile.SoundFile, count: int) -> np.ndarray[Any, Any]:
    """Frames [N, channels] float32; fewer than asked for where the file ends.

    Block by block, since a damaged header asks for more memory than there is.
    """
    blocks = []
    n_left = count
    while n_left:
        block = file.read(min(n_left, _BLOCK), dtype="float32", always_2d=True)
        blocks.append(block)
        n_left -= len(block)
        if not len(block):
            break
    return blocks[0] if len(blocks) == 1 else np.concatenate(blocks)


def resample(samples: Tensor, from_hz: int, to_hz: int, name: str = "audio") -> Tensor:
    """Samples [..., N] at another rate, by a windowed sinc.

    Raises:
        AudioError: for a rate below 1, or a ratio of huge terms.

    Example:
        >>> resample(torch.zeros(800), 8000, 16000).shape
        torch.Size([1600])
    """
    if from_hz == to_hz:
        return samples
    if min(from_hz, to_hz) < 1:
        raise AudioError(f"{name}: expected rates above 0; got {from_hz} Hz to {to_hz} Hz")
    common = math.gcd(from_hz, to_hz)
    if from_hz // common * (to_hz // common) > _LONGEST_FILTER:
        raise AudioError(
            f"{name}: {from_hz} Hz to {to_hz} Hz would need a filter of gigabytes; convert the "
            "file first"
        )
    return _resampler(from_hz, to_hz)(samples)


def played_faster(samples: Tensor, rate_hz: int, speed: float) -> Tensor:
    """Samples [N] at a rate, played so many times as fast, pitch included.

    Example:
        >>> played_faster(torch.zeros(1000), 16000, 1.25).shape
        torch.Size([800])
    """
    return resample(samples, round(rate_hz * speed), rate_hz)


@lru_cache(maxsize=16)
def _resampler(from_hz: int, to_hz: int) -> Resample:
    return Resample(from_hz, to_hz)


def _name_of(source: Source) -> str:
    if isinstance(source, Path | str):
        return str(source)
    return str(getattr(source, "name", "") or "an open file")


def open_sound(source: Path | BinaryIO) -> soundfile.SoundFile:
    """The file for libsndfile; AudioError where it is none, or its header cannot be true."""
    name = _name_of(source)
    content: Path | bytes
    if isinstance(source, Path):
        _check_is_file(source)
        content = source
    else:
        content = _content(source, name)
    layout = wave_layout(content)
    if layout is not None:
        if layout.problem:
            raise AudioError(f"{name}: {layout.problem}")
        if layout.data_bytes != layout.promised_bytes:
            whole = content if isinstance(content, bytes) else content.read_bytes()
            content = layout.corrected(whole)
    try:
        opened = _Content(content) if isinstance(content, bytes) else content
        file = soundfile.SoundFile(opened)
    except (RuntimeError, OSError, TypeError) as error:  # TypeError: headerless, by the file's name
        foreign = getattr(error, "code", None) == _UNKNOWN_FORMAT
        raise AudioError(
            f"{name}: expected a sound file for libsndfile (WAV, FLAC, OGG ...); {error}"
            f"{_CONVERT if foreign else ''}"
        ) from error
    problem = _header_problem(file)
    if problem:
        file.close()
        raise AudioError(f"{name}: {problem}")
    return file


class _Content(io.BytesIO):
    """A file's content, for libsndfile, which a damaged header may send to before its beginning."""

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """The new place; the beginning for one before it."""
        try:
            return super().seek(offset, whence)
        except ValueError:
            return super().seek(0)


def _what_is_at(path: Path) -> str:
    """What lies at a path where no file does, and what to do."""
    if os.path.isdir(path):
        return "a folder there: name the files in it"
    if os.path.exists(path):
        return "a pipe or a device there: write the sound into a file first"
    return "nothing there (a path in a manifest starts at the manifest's folder)"


def _check_is_file(path: Path) -> None:
    if not os.path.isfile(path):  # Path.is_file raises for names that are too long
        raise AudioError(f"{path}: expected a sound file; found {_what_is_at(path)}")
    if path.stat().st_size == 0:
        raise AudioError(f"{path}: expected a sound file; it is empty (0 bytes)")


def _content(source: BinaryIO, name: str) -> bytes:
    if not callable(getattr(source, "read", None)):
        raise AudioError(
            "sound: expected samples, a path, an utterance or an open binary file; got "
            f"{type(source).__name__}"
        )
    content = cast(object, source.read())
    if not isinstance(content, bytes):
        raise AudioError(f"{name}: expected a file opened as binary ('rb'); got text")
    if not content:
        raise AudioError(f"{name}: expected a sound file; it is empty (0 bytes)")
    return content


def _header_problem(file: soundfile.SoundFile) -> str:
    if file.frames == 0:
        return "expected samples; the file has a header and none"
    if file.frames > _UNKNOWN_LENGTH:
        return (
            "expected a header with a length; an encoder that wrote to a pipe left it open; "
            "encode the file again"
        )
    if not LEAST_RATE_HZ <= file.samplerate <= MOST_RATE_HZ:
        return (
            f"expected a sample rate within {LEAST_RATE_HZ}..{MOST_RATE_HZ} Hz; its header says "
            f"{file.samplerate}"
        )
    return ""


def _part(
    name: str, frames: int, rate_hz: int, offset_s: float, duration_s: float | None
) -> tuple[int, int]:
    """First sample and number of samples to read, at the file's own rate."""
    first = round(offset_s * rate_hz)
    left = frames - first
    wanted = left if duration_s is None else round(duration_s * rate_hz)
    if left <= 0 or wanted - left > TOLERANCE_S * rate_hz:
        asked = f"offset {first / rate_hz:.3f} s"
        if duration_s is not None:
            asked += f" and {duration_s:.3f} s from there"
        raise AudioError(
            f"{name}: expected {asked}, as the manifest says; the file lasts "
            f"{frames / rate_hz:.3f} s; correct the manifest, or the file is truncated"
        )
    if left - wanted <= _ROUNDING_S * rate_hz:
        return first, left
    if wanted == 0:
        raise AudioError(f"{name}: expected a duration above 0; got {duration_s} s")
    return first, wanted
