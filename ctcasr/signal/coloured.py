"""Noise of many colours, made from nothing: rumble and hiss as rooms and amplifiers have them.

A spectrum falls or rises evenly from 50 Hz on and has a few broad humps; the level of every second
noise sways. The end of a noise goes over into its beginning, so that it may be heard in a circle.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

_SLOPE_DB = (-6.0, 1.5)  # an octave: from brown (-6) over pink (-3) and white (0) to a little blue
_LEVEL_BELOW_HZ = 50.0  # where a slope begins
_HEARD_HZ = 20.0  # nothing lies below
_MIDDLE_HZ = 1000.0
_HUMPS = 3  # Gaussians over octaves
_HUMP_DB = 8.0  # standard deviation of their heights
_HUMP_CENTRES = (-4.0, 3.0)  # octaves from the middle
_HUMP_OCTAVES = (0.3, 1.5)  # the narrowest and the widest, as standard deviations
_SWAY_DB = 6.0  # standard deviation of a level that sways
_SWAY_S = 0.5  # about so long from one level to the next


def coloured_noises(count: int, seconds: float, rate_hz: int, seed: int) -> list[Tensor]:
    """So many noises [N] of mean power one, of their own spectra; the same for a seed.

    Raises:
        ValueError: for less than a period of the lowest that is heard, 1/20 s.

    Example:
        >>> noises = coloured_noises(2, 1.0, 16000, seed=0)
        >>> [tuple(noise.shape) for noise in noises], round(float(noises[0].square().mean()), 3)
        ([(16000,), (16000,)], 1.0)
    """
    rng = np.random.default_rng(seed)
    if seconds < 1 / _HEARD_HZ:
        raise ValueError(f"expected {1 / _HEARD_HZ} s of noise or more; got {seconds}")
    samples = round(seconds * rate_hz)
    noises = []
    for number in range(count):
        noise = _shaped(samples, rate_hz, rng)
        if number % 2:
            noise *= _swaying(samples, rate_hz, rng)
        noise /= np.sqrt(np.mean(noise**2))
        noises.append(torch.from_numpy(noise.astype(np.float32)))
    return noises


def _shaped(samples: int, rate_hz: int, rng: np.random.Generator) -> np.ndarray:
    """White noise through a drawn spectrum, [N]."""
    spectrum = np.fft.rfft(rng.standard_normal(samples))
    frequency_hz = np.fft.rfftfreq(samples, 1 / rate_hz)
    octaves = np.log2(np.maximum(frequency_hz, _LEVEL_BELOW_HZ) / _MIDDLE_HZ)
    level_db = rng.uniform(*_SLOPE_DB) * octaves
    for _ in range(_HUMPS):
        height_db = rng.normal(0, _HUMP_DB)
        centre = rng.uniform(*_HUMP_CENTRES)
        width = rng.uniform(*_HUMP_OCTAVES)
        level_db += height_db * np.exp(-0.5 * ((octaves - centre) / width) ** 2)
    heard = frequency_hz >= _HEARD_HZ
    return np.fft.irfft(spectrum * 10 ** (level_db / 20) * heard, samples)


def _swaying(samples: int, rate_hz: int, rng: np.random.Generator) -> np.ndarray:
    """A gain [N] that goes from one drawn level to the next, and from the last to the first."""
    levels = max(1, round(samples / (_SWAY_S * rate_hz)))
    levels_db = rng.normal(0, _SWAY_DB, levels)
    places = np.linspace(0, levels, samples, endpoint=False)
    level_db = np.interp(places, np.arange(levels), levels_db, period=levels)
    return 10 ** (level_db / 20)
