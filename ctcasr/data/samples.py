"""Samples as arrays: one channel of float32 within about -1 to 1, whatever they came as."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

LEAST_RATE_HZ = 1000  # below it there is no speech; 16 is somebody's 16 kHz
MOST_RATE_HZ = 1_000_000
FAR_BEYOND_ONE = 32.0  # no sound in floats has such a peak; 16-bit numbers as floats have
_CANCELLED = (
    1e-4  # power of the mean to that of the channels (-40 dB): they are each other's negative
)
_AUDIBLE = 1e-8  # power of channels (-80 dB of full scale) below which nothing is compared
_STEREO = 2  # channels
_MOST_CHANNELS = 64  # an array [N, C] handed for [C, N] has more rows


class AudioError(ValueError):
    """A sound that cannot be used; says which, and why."""


class NotFinite(AudioError):
    """A sound with samples that are NaN or infinite."""


class CancelledChannels(AudioError):
    """A sound whose channels are each other's negative, so that their mean is silent."""


def as_samples(sound: Any, rate_hz: float | None, name: str = "samples") -> Tensor:
    """Samples [N] float32 of a numpy array or a tensor, [N] or [channels, N].

    Channels are averaged. Integers are scaled by the range of their type: int16 by 1 / 32768,
    unsigned 8 bits around 128.

    Raises:
        AudioError: names `name` for another shape, an impossible rate, numbers that are not finite,
            floats far beyond 1, 64-bit integers (whose scale nobody knows), or channels that
            cancel each other.

    Example:
        >>> as_samples(np.array([16384, -32768], dtype=np.int16), 16000)
        tensor([ 0.5000, -1.0000])
        >>> as_samples(torch.tensor([[0.5, 0.25], [0.25, 0.25]]), 16000)
        tensor([0.3750, 0.2500])
    """
    return one_channel(as_frames(sound, rate_hz, name), name)


def as_frames(
    sound: Any, rate_hz: float | None, name: str = "samples", *, is_chunk: bool = False
) -> Tensor:
    """Samples [N, channels] float32 of what `as_samples` takes, as they are.

    A chunk of a longer sound may hold a single sample of two channels.

    Raises:
        AudioError: for another shape, type or rate than those.
    """
    check_rate(rate_hz, name)
    samples = _tensor(sound, name)
    if samples.dim() == 1:
        samples = samples[None]
    shape = tuple(samples.shape)
    if samples.dim() != 2 or samples.numel() == 0:
        raise AudioError(f"{name}: expected samples [N] or [channels, N]; got {shape}")
    fewest_samples = shape[0]
    if is_chunk and shape[0] <= _STEREO:
        fewest_samples = 1
    if shape[0] > _MOST_CHANNELS or shape[1] < fewest_samples:
        raise AudioError(
            f"{name}: expected [channels, N]; got {shape}, which has more channels than sound; "
            "transpose it"
        )
    return _scaled(samples, name).T.contiguous()


def check_rate(rate_hz: float | None, name: str = "samples") -> int:
    """The rate as a whole number of Hz.

    Raises:
        AudioError: where there is none, or one that no sound has (0, or 16 for 16 kHz).
    """
    if rate_hz is None:
        raise AudioError(f"{name}: expected rate_hz with samples, which do not know their rate")
    usable = isinstance(rate_hz, int | float | np.number) and math.isfinite(rate_hz)
    if isinstance(rate_hz, bool) or not usable or round(float(rate_hz)) != float(rate_hz):
        raise AudioError(f"{name}: expected rate_hz, a whole number of Hz; got {rate_hz!r}")
    if not LEAST_RATE_HZ <= rate_hz <= MOST_RATE_HZ:
        raise AudioError(
            f"{name}: expected rate_hz within {LEAST_RATE_HZ}..{MOST_RATE_HZ} Hz; got {rate_hz!r}"
        )
    return round(float(rate_hz))


def one_channel(samples: Tensor, name: str) -> Tensor:
    """Samples [N] float32 of checked frames [N, channels]: their mean.

    Raises:
        AudioError: as `as_samples` does for what the samples hold.
    """
    mix = Mixdown(name)
    mean = mix.add(samples)
    mix.check_phase()
    return mean


@dataclass
class Mixdown:
    """The mean of the channels of a sound that comes in parts.

    Whether they cancel each other only the whole can tell: a breath may be in opposite phase.

    Example:
        >>> mix = Mixdown("a.wav")
        >>> mix.add(torch.tensor([[0.5, -0.5], [0.5, 0.25]]))
        tensor([0.0000, 0.3750])
        >>> mix.check_phase()
    """

    name: str
    samples: int = 0  # of all channels
    channels_energy: float = 0.0
    mean_energy: float = 0.0  # as often as there are channels

    def add(self, frames: Tensor) -> Tensor:
        """Samples [N] float32 of the next frames [N, channels].

        Raises:
            AudioError: as `as_samples` does for what the samples hold.
        """
        check_peak(frames, self.name)
        channels = frames.shape[1]
        if channels == 1:
            return frames[:, 0]
        mean = frames.mean(dim=1)
        self.samples += frames.numel()
        self.channels_energy += _energy(frames)
        self.mean_energy += channels * _energy(mean)
        return mean

    def check_phase(self) -> None:
        """Raises CancelledChannels where nothing is left of channels that are to be heard."""
        is_audible = self.channels_energy > _AUDIBLE * self.samples
        if is_audible and self.mean_energy < _CANCELLED * self.channels_energy:
            raise CancelledChannels(
                f"{self.name}: expected channels that sound together; their mean is silent, as one "
                "is the other's negative (opposite phase); give one channel alone"
            )


def _energy(samples: Tensor) -> float:
    return float(samples.square().sum(dtype=torch.float64))


def check_peak(samples: Tensor, name: str) -> None:
    """AudioError for floats [N, channels] that are no sound between -1 and 1.

    What is not finite is told as NotFinite, integers as floats as such.
    """
    peak = float(samples.abs().max()) if samples.numel() else 0.0  # NaN where one of them is
    if not math.isfinite(peak):
        finite = torch.isfinite(samples).all(dim=1)
        bad = len(finite) - int(finite.sum())
        raise NotFinite(
            f"{name}: expected finite samples; got {bad} NaN or infinite ones of {len(finite)}"
        )
    if peak > FAR_BEYOND_ONE:
        raise AudioError(
            f"{name}: expected samples within about -1 to 1; the largest is {peak:.6g}; 16-bit "
            "numbers as floats are divided by 32768"
        )


def _tensor(sound: Any, name: str) -> Tensor:
    if isinstance(sound, Tensor):
        return sound.detach()
    if not isinstance(sound, np.ndarray):
        raise AudioError(
            f"{name}: expected a tensor or a numpy array of samples; got {type(sound).__name__}"
        )
    array = np.ascontiguousarray(sound)
    if array.dtype == np.uint16:  # torch computes little with it
        array = array.astype(np.float64) / 32768 - 1
    try:
        return torch.from_numpy(array.astype(array.dtype.newbyteorder("=")))
    except TypeError as error:
        raise AudioError(
            f"{name}: expected integers or floats; got numpy's {array.dtype}"
        ) from error


def _scaled(samples: Tensor, name: str) -> Tensor:
    """float32, integers by the range of their type."""
    kind = samples.dtype
    if kind.is_floating_point:
        return samples.to(torch.float32)
    if kind == torch.uint8:
        return (samples.to(torch.float32) - 128) / 128
    if kind in (torch.int8, torch.int16):
        return samples.to(torch.float32) / -float(torch.iinfo(kind).min)
    if kind == torch.int32:
        return (samples.to(torch.float64) / -float(torch.iinfo(kind).min)).to(torch.float32)
    raise AudioError(
        f"{name}: expected floats, or integers of 8, 16 or 32 bits, whose range is their scale; "
        f"got {kind}; say by .to(torch.int16) (numpy: .astype) what they are"
    )
