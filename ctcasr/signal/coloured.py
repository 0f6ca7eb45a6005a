"""Noise of many colours, made from nothing: hum, hiss and rumble as rooms and amplifiers have them.

A spectrum falls or rises evenly, has a few broad humps, and the level of every second noise sways.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import torch
from torch import Tensor

_SLOPE_DB = (-6.0, 1.5)  # an octave: from brown (-6) over pink (-3) and white (0) to a little blue
_HUMPS = 3
_HUMP_DB = 8.0  # standard deviation of their heights
_HUMP_OCTAVES = (0.3, 1.5)  # standard deviation of their widths, as Gaussians over octaves
_SWAY_DB = 6.0  # standard deviation of a level that sways
_SWAY_S = 0.5  # from one level to the next
_MIDDLE_HZ = 1000.0
_OCTAVES = (-4.0, 3.0)  # about that: where humps lie


def coloured_noises(count: int, seconds: float, rate_hz: int | Fraction, seed: int) -> list[Tensor]:
    """So many noises [N] of mean power one, of their own spectra; the same for a seed.

    Example:
        >>> noises = coloured_noises(2, 1.0, 16000, seed=0)
        >>> [tuple(noise.shape) for noise in noises], round(float(noises[0].square().mean()), 3)
        ([(16000,), (16000,)], 1.0)
    """
    rng = np.random.default_rng(seed)
    samples = max(1, round(seconds * rate_hz))
    noises = []
    for number in range(count):
        noise = _shaped(samples, float(rate_hz), rng)
        if number % 2:
            noise *= _swaying(samples, float(rate_hz), rng)
        noise /= np.sqrt(np.mean(noise**2))
        noises.append(torch.from_numpy(noise.astype(np.float32)))
    return noises


def _shaped(samples: int, rate_hz: float, rng: np.random.Generator) -> np.ndarray:
    """White noise through a drawn spectrum, [N]."""
    spectrum = np.fft.rfft(rng.standard_normal(samples))
    frequency_hz = np.fft.rfftfreq(samples, 1 / rate_hz)
    frequency_hz[0] = rate_hz / samples  # what does not move has no octave: as the lowest that does
    octaves = np.log2(frequency_hz / _MIDDLE_HZ)
    level_db = rng.uniform(*_SLOPE_DB) * octaves
    for _ in range(_HUMPS):
        height_db = rng.normal(0, _HUMP_DB)
        centre = rng.uniform(*_OCTAVES)
        width = rng.uniform(*_HUMP_OCTAVES)
        level_db += height_db * np.exp(-0.5 * ((octaves - centre) / width) ** 2)
    return np.fft.irfft(spectrum * 10 ** (level_db / 20), samples)


def _swaying(samples: int, rate_hz: float, rng: np.random.Generator) -> np.ndarray:
    """A gain [N] that goes from one drawn level to the next."""
    knots = 2 + int(samples / (_SWAY_S * rate_hz))
    levels_db = rng.normal(0, _SWAY_DB, knots)
    level_db = np.interp(np.linspace(0, knots - 1, samples), np.arange(knots), levels_db)
    return 10 ** (level_db / 20)
