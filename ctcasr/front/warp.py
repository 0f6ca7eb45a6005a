"""Vocal tract length perturbation: the same words from a talker of another size.

Shape letters: B utterances, T frames, F bins of a linear spectrum.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from ctcasr.seq import Seq, to_device

_OWN_DRAW = 0x3C6EF372  # keeps what is drawn here apart from the masks
_FORMANTS_END = 0.6  # share of the highest frequency below which formants lie: 4.8 of 8 kHz


def draw_warps(largest: float, seeds: Sequence[int]) -> tuple[float, ...]:
    """What the frequencies of each utterance are multiplied by: uniform in 1 +- `largest`.

    Example:
        >>> draw_warps(0.0, seeds=[1, 2])
        (1.0, 1.0)
    """
    factors = []
    for seed in seeds:
        generator = np.random.default_rng([seed, _OWN_DRAW])
        factors.append(1 + largest * float(generator.uniform(-1, 1)))
    return tuple(factors)


def warp_frequencies(frames: Seq, factors: Sequence[float]) -> Seq:
    """Power or amplitude [B, T, F] with the frequencies of each row times its factor.

    Linear up to where formants end, and from there to the last bin, which stays (Jaitly and Hinton
    2013, "Vocal tract length perturbation improves speech recognition"). Factors lie near one.

    Example:
        >>> peak = torch.zeros(1, 1, 11)
        >>> peak[0, 0, 4] = 1.0
        >>> warp_frequencies(Seq.stack(list(peak), rate=100), [1.25]).data[0, 0].argmax()
        tensor(5)
    """
    steps = frames.data.shape[1]
    bins = frames.data.shape[2]
    rows = [_sources(factor, bins) for factor in factors]
    sources = np.stack(rows)
    lower = sources.astype(np.int64)
    lower = lower.clip(max=bins - 2)
    fraction = sources - lower
    weights = to_device(torch.from_numpy(fraction.astype(np.float32)), frames.device)
    places = to_device(torch.from_numpy(lower), frames.device)
    places = places[:, None, :].expand(-1, steps, -1)
    below = frames.data.gather(2, places)
    above = frames.data.gather(2, places + 1)
    warped = torch.lerp(below, above, weights[:, None, :])
    return frames.with_data(warped)


def _sources(factor: float, bins: int) -> np.ndarray:
    """Where each bin of a warped spectrum comes from, [F], in bins."""
    warped_end = _FORMANTS_END * min(factor, 1.0)
    own_end = warped_end / factor
    slope = (1 - own_end) / (1 - warped_end)
    frequencies = np.linspace(0, 1, bins)  # shares of the highest one
    of_formants = frequencies / factor
    beyond = 1 - slope * (1 - frequencies)
    shares = np.where(frequencies <= warped_end, of_formants, beyond)
    return shares * (bins - 1)
