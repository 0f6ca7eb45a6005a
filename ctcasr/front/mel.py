"""Triangular filters on the mel scale."""

from __future__ import annotations

import math

import torch
from torch import Tensor

# The scale as HTK has it: mel = 2595 log10(1 + f / 700), with f in Hz.
_MEL_PER_DECADE = 2595.0
_CORNER_HZ = 700.0


def mel_filters(bins: int, low_hz: float, high_hz: float, bands: int, rate_hz: int) -> Tensor:
    """Filters [bins, bands] from bins of a spectrum (0 .. rate_hz // 2) to mel bands.

    Triangles of height one that begin at the middle of the band before and end at that of the band
    behind; equal to torchaudio's `melscale_fbanks`. A band too narrow to hold a bin is zero.

    Example:
        >>> mel_filters(bins=5, low_hz=0.0, high_hz=4000.0, bands=2, rate_hz=8000)
        tensor([[0.0000, 0.0000],
                [0.6759, 0.3241],
                [0.0000, 0.9055],
                [0.0000, 0.4528],
                [0.0000, 0.0000]])
    """
    bins_hz = torch.linspace(0, rate_hz // 2, bins)
    corners = torch.linspace(mel_of(low_hz), mel_of(high_hz), bands + 2)
    corners_hz = _CORNER_HZ * (10.0 ** (corners / _MEL_PER_DECADE) - 1.0)
    widths_hz = corners_hz[1:] - corners_hz[:-1]
    rising = (bins_hz[:, None] - corners_hz[:-2]) / widths_hz[:-1]
    falling = (corners_hz[2:] - bins_hz[:, None]) / widths_hz[1:]
    return torch.minimum(rising, falling).clamp(min=0)


def mel_of(frequency_hz: float) -> float:
    """A frequency on the mel scale.

    Example:
        >>> round(mel_of(1000.0))
        1000
    """
    return _MEL_PER_DECADE * math.log10(1.0 + frequency_hz / _CORNER_HZ)
