"""Enhanced speech in time with what it was made from, and as loud."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ctcasr.compare.scene import fit

MOST_S = 0.05  # the longest delay that is looked for
_SAME_GAIN = 1e-4  # nearer to 1, a gain is rounding of a file: the samples stay as they are
_TIE = 1e-6  # relative; of correlations closer than that, the smaller delay


@dataclass(frozen=True, eq=False)
class Aligned:
    """Samples [N] in time and level with the noisy ones; `lag` samples late, multiplied by `gain`, both before alignment."""

    samples: Tensor
    lag: int
    gain: float

    @property
    def untouched(self) -> bool:
        return self.lag == 0 and self.gain == 1.0


def align(noisy: Tensor, enhanced: Tensor, rate_hz: int, clean: Tensor | None = None) -> Aligned:
    """`enhanced` [M] moved by the lag of the largest cross-correlation (at most 50 ms) and scaled by least squares to `noisy` [N].

    The lag is that against `noisy` or against `clean` [N], whichever it resembles more: far below 0 dB, clean speech resembles the noise
    at any lag. A negative gain means inverted polarity. Silence has no lag and stays silence.
    """
    most = round(MOST_S * rate_hz)
    lag = max(
        (lag_of(one, enhanced, most) for one in (noisy, clean) if one is not None),
        key=lambda found: found[1],
    )[0]
    count = noisy.shape[0]
    moved = fit(shifted(enhanced, -lag), count)
    power = float(moved.double().square().sum())
    gain = float((moved.double() * noisy.double()).sum()) / power if power > 0 else 1.0
    moved = continued(moved, max(0, -lag), min(count, enhanced.shape[0] - lag), most)
    if power == 0 or gain == 0 or abs(gain - 1) < _SAME_GAIN:
        return Aligned(moved, lag, 1.0)
    return Aligned((moved.double() * gain).to(noisy.dtype), lag, gain)


def lag_of(reference: Tensor, samples: Tensor, most: int) -> tuple[int, float]:
    """Samples by which `samples` [M] come later than `reference` [N], within +-`most`, and the correlation there (0 to 1, sign apart)."""
    size = 1 << (reference.shape[0] + samples.shape[0] + most).bit_length()
    spectra = [torch.fft.rfft(part.double(), size) for part in (reference, samples)]
    correlation = torch.fft.irfft(spectra[0].conj() * spectra[1], size).abs()
    lags = sorted(range(-most, most + 1), key=abs)
    values = correlation[torch.tensor(lags) % size]
    best = float(values.max())
    # The first of those that are as good: the smallest delay.
    power = float(reference.double().square().sum() * samples.double().square().sum())
    if best <= 0 or power <= 0:
        return 0, 0.0
    return lags[int((values >= best * (1 - _TIE)).nonzero()[0])], best / math.sqrt(power)


def shifted(samples: Tensor, by: int) -> Tensor:
    """Samples [N] later by `by` (silence in front), or earlier where it is negative (the first ones are dropped)."""
    return torch.cat([samples.new_zeros(by), samples]) if by > 0 else samples[-by:]


def continued(samples: Tensor, first: int, last: int, most: int) -> Tensor:
    """Samples [N] of which only `first` to `last` are there, with their mirror image in gaps of at most `most` at either end.

    A few milliseconds of digital silence would change what is recognised: a logarithm makes much of them.
    """
    before, after = first, samples.shape[0] - last
    out = samples.clone()
    if 0 < before <= min(most, last - first):
        out[:first] = samples[first : first + before].flip(0)
    if 0 < after <= min(most, last - first):
        out[last:] = samples[last - after : last].flip(0)
    return out


def observation_added(enhanced: Tensor, noisy: Tensor, share: float) -> Tensor:
    """(1 - share) enhanced + share noisy, [N]: less noise taken away for fewer artifacts (Iwamoto et al. 2022, arXiv 2201.06685)."""
    if share in (0.0, 1.0):
        return noisy if share else enhanced
    return (1 - share) * enhanced + share * noisy
