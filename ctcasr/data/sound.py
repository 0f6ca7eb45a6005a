"""Sound as callers hand it over, a file or samples, as samples that a network takes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
import soundfile
from numpy.typing import NDArray
from torch import Tensor

from ctcasr.data.audio import audio_info, read_audio, resample
from ctcasr.data.samples import AudioError, as_samples, check_rate

Sound = str | Path | BinaryIO | Tensor | NDArray[Any]


def samples_of(sound: Sound, rate_hz: int | None, wanted_hz: int, name: str = "samples") -> Tensor:
    """Samples [N] float32 at `wanted_hz` of a file (path or open), or of samples at `rate_hz`.

    Samples are a tensor or a numpy array, [N] or [channels, N], floats of -1..1 or integers.

    Raises:
        AudioError: for a bad file, and for samples that cannot be sound.

    Example:
        >>> import torch
        >>> samples_of(torch.zeros(800), 8000, 16000).shape
        torch.Size([1600])
    """
    if isinstance(sound, Tensor | np.ndarray):
        samples = as_samples(sound, rate_hz, name)
        return resample(samples, check_rate(rate_hz, name), wanted_hz, name)
    return read_audio(sound, wanted_hz)


def clips_of(
    audio: Sound | Sequence[Sound], rate_hz: int | None, wanted_hz: int
) -> Iterator[Tensor]:
    """Samples [N] at `wanted_hz` of one sound, or of each of several, one after the other.

    Raises:
        AudioError: as `samples_of` does; it names the sound.

    Example:
        >>> import torch
        >>> silence = torch.zeros(2, 800)
        >>> [len(clip) for clip in clips_of([silence, silence.numpy()], 8000, 8000)]
        [800, 800]
    """
    alone = isinstance(audio, str | Path | Tensor | np.ndarray) or hasattr(audio, "read")
    if alone or not isinstance(audio, Iterable):
        yield samples_of(cast(Sound, audio), rate_hz, wanted_hz)
        return
    for number, sound in enumerate(cast(Sequence[Sound], audio)):
        yield samples_of(sound, rate_hz, wanted_hz, f"sound {number}")


def native_samples(sound: Sound, rate_hz: int | None = None) -> tuple[Tensor, int]:
    """Samples [N] float32 of a file at its own rate, or of samples at `rate_hz`, and the rate.

    Raises:
        AudioError: for a bad file, and for samples that cannot be sound.
    """
    if isinstance(sound, Tensor | np.ndarray):
        return as_samples(sound, rate_hz), check_rate(rate_hz)
    if isinstance(sound, str | Path):
        native_hz = audio_info(sound).rate_hz
    elif hasattr(sound, "read"):
        native_hz = _rate_of(sound)
    else:
        raise AudioError(
            f"expected a file or an array of samples as sound; got {type(sound).__name__}"
        )
    return read_audio(sound, native_hz), native_hz


def _rate_of(file: BinaryIO) -> int:
    """The rate in the header of an open file, which is left where it was."""
    begin = file.tell()
    try:
        return int(soundfile.info(file).samplerate)
    except (RuntimeError, TypeError) as error:
        raise AudioError(f"expected an open sound file; libsndfile says: {error}") from error
    finally:
        file.seek(begin)
