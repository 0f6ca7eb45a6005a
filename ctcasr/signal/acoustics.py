"""What rooms and noises do to sound: shared by mixing on the host and augmentation on the device.

A room is known by its impulse response (`rir`), as measured from a loudspeaker to a microphone.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

# A Fourier transform is fast for 2^a times one of these.
_FAST_FACTORS = (1, 3, 5)


def room_response(rir: Tensor, early: int | None = None) -> Tensor:
    """A measured response [M] from its direct sound (the largest value) on, with energy one.

    With `early`, only so many samples after the direct sound.

    Raises:
        ValueError: for a silent or empty response, one of several channels or with NaN.

    Example:
        >>> room_response(torch.tensor([0.0, 0.0, -4.0, 3.0]))
        tensor([ 0.8000, -0.6000])
    """
    if rir.dim() != 1 or not bool(rir.isfinite().all()):
        raise ValueError(
            f"expected a room response [M] of finite samples; got {tuple(rir.shape)}, "
            "or NaN or infinite ones"
        )
    if rir.numel() == 0 or not bool(rir.any()):
        raise ValueError("expected a room response with a direct sound; this one is silent")
    direct = int(rir.abs().argmax())
    response = rir[direct:]
    energy = response.square().sum()
    response = response / energy.sqrt() * response[0].sign()
    if early is None:
        return response
    return response[: early + 1]


def convolve(samples: Tensor, response: Tensor) -> Tensor:
    """Samples [..., N] through responses [..., M], as long as they were: [..., N].

    By fast Fourier transform.

    Example:
        >>> convolve(torch.tensor([1.0, 0.0, 0.0]), torch.tensor([0.5, 0.25])).round(decimals=3)
        tensor([0.5000, 0.2500, 0.0000])
    """
    count = samples.shape[-1]
    size = fast_size(count + response.shape[-1] - 1)
    spectrum = torch.fft.rfft(samples, size) * torch.fft.rfft(response, size)
    convolved: Tensor = torch.fft.irfft(spectrum, size)
    return convolved[..., :count]


def fast_size(least: int) -> int:
    """The smallest size from `least` on that a Fourier transform is fast for.

    Example:
        >>> fast_size(1000), fast_size(1100)
        (1024, 1280)
    """
    sizes = []
    for factor in _FAST_FACTORS:
        doublings = max(0, math.ceil(math.log2(least / factor)))
        size = factor << doublings
        if size >= least:
            sizes.append(size)
    return min(sizes)


def gain_for_snr(speech_power: Tensor, noise_power: Tensor, snr_db: Tensor) -> Tensor:
    """What noises must be multiplied by to lie `snr_db` below speech, all [B].

    0 where one of the two is silent.

    Example:
        >>> gain_for_snr(torch.tensor([1.0]), torch.tensor([4.0]), torch.tensor([0.0]))
        tensor([0.5000])
    """
    wanted_power = 10 ** (-snr_db / 10)
    gain = (speech_power / noise_power * wanted_power).sqrt()
    both_sound = (speech_power > 0) & (noise_power > 0)
    return torch.where(both_sound, gain, 0.0)
