"""What rooms and noises do to sound: the arithmetic that mixing on the host and augmentation on the device share."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def room_response(rir: Tensor, early: int | None = None) -> Tensor:
    """A measured response [M] from its direct sound (the largest value) on, with energy one; only the first `early` samples after it.

    ValueError for a silent or empty response.
    """
    if rir.numel() == 0 or not bool(rir.any()):
        raise ValueError("expected a room response with a direct sound; this one is silent")
    response = rir[int(rir.abs().argmax()) :]
    response = response / response.square().sum().sqrt() * response[0].sign()
    return response if early is None else response[: early + 1]


def convolve(samples: Tensor, response: Tensor) -> Tensor:
    """Samples [..., N] through responses [..., M], as long as they were: [..., N]; by fast Fourier transform."""
    size = fast_size(samples.shape[-1] + response.shape[-1] - 1)
    spectrum = torch.fft.rfft(samples, size) * torch.fft.rfft(response, size)
    return torch.fft.irfft(spectrum, size)[..., : samples.shape[-1]]


def fast_size(least: int) -> int:
    """The smallest size from `least` on that a Fourier transform is fast for: 2^a, or 3 or 5 times that."""
    sizes = [odd << max(0, math.ceil(math.log2(least / odd))) for odd in (1, 3, 5)]
    return min(size for size in sizes if size >= least)


def gain_for_snr(speech_power: Tensor, noise_power: Tensor, snr_db: Tensor) -> Tensor:
    """What noises must be multiplied by to lie `snr_db` below speech, all [B]; 0 where one of the two is silent."""
    gain = (speech_power / noise_power * 10 ** (-snr_db / 10)).sqrt()
    return torch.where((speech_power > 0) & (noise_power > 0), gain, 0.0)
