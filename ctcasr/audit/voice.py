"""How a speaker sounds: the mean and the spread of a mel spectrum."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ctcasr.front.mel import mel_filters

_WINDOW_S = 0.032
_HOP_S = 0.016
_BANDS = 20
_LOWEST_HZ = 80.0
_HIGHEST_HZ = 7600.0
_LOUD = 1e-3  # of the loudest frame's power: below, nobody speaks
# Loud ones, 1.2 s, without which no voice is known: sounds of one word differ more than talkers.
_LEAST_FRAMES = 75
_FLOOR = 1e-10  # power, so that it has a logarithm

Floats = NDArray[np.float64]


def voice_of(samples: Tensor, rate_hz: int) -> Floats | None:
    """Means and deviations [40] of a recording's mel bands; None where too little is heard.

    Loudness makes no difference.

    Example:
        >>> import numpy as np
        >>> noise = torch.randn(16000, generator=torch.Generator().manual_seed(0))
        >>> bool(np.allclose(voice_of(noise, 8000), voice_of(0.1 * noise, 8000), atol=1e-4))
        True
    """
    window = round(_WINDOW_S * rate_hz)
    if samples.dim() > 1 or len(samples) < window:  # pictures have no voice
        return None
    frames = samples.float().unfold(0, window, round(_HOP_S * rate_hz))
    power = torch.fft.rfft(frames * torch.hann_window(window)).abs().square()
    highest_hz = min(_HIGHEST_HZ, rate_hz / 2)
    filters = mel_filters(power.shape[1], _LOWEST_HZ, highest_hz, _BANDS, rate_hz)
    energy = power.sum(1)
    loud = energy > _LOUD * energy.max()
    if int(loud.sum()) < _LEAST_FRAMES:
        return None
    bands = power[loud] @ filters.to(power)
    levels = (bands / energy.max() + _FLOOR).log()
    means = levels.mean(0)
    colour = means - means.mean()
    voice: Floats = torch.cat([colour, levels.std(0)]).double().numpy()
    return voice
