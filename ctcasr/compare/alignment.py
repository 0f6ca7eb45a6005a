"""Enhanced speech in time with what it was made from, and as loud."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ctcasr.compare.scene import cut_or_pad

LONGEST_LAG_S = 0.05  # the longest delay that is looked for everywhere
FARTHEST_LAG_S = 0.5  # up to which a delay is undone where it is beyond doubt, and told
BEYOND_DOUBT = 0.4  # correlation there
TIMES_BETTER = 1.25  # than within 50 ms
UNLIKE = 0.25  # correlation below which a file is hardly one of its scene
SAME_GAIN = 1e-4  # nearer to 1, a gain is rounding of a file: the samples stay as they are
TIE = 1e-6  # relative; of correlations closer than that, the smaller delay


@dataclass(frozen=True, eq=False)
class Aligned:
    """Samples [N] in time and level with the noisy ones.

    They came `lag` samples late, and were multiplied by `gain`. `resemblance` is the correlation
    with the noisy or the clean sound, whichever is larger (0 to 1).
    """

    samples: Tensor
    lag: int
    gain: float
    resemblance: float = 1.0

    @property
    def untouched(self) -> bool:
        """Whether the samples are those of the file."""
        return self.lag == 0 and self.gain == 1.0


@dataclass(frozen=True)
class Lag:
    """By how many samples a signal comes late, and its correlation there (0 to 1, sign apart)."""

    samples: int
    correlation: float


def align(noisy: Tensor, enhanced: Tensor, rate_hz: int, clean: Tensor | None = None) -> Aligned:
    """`enhanced` [M] moved by the lag of the largest cross-correlation and scaled to `noisy` [N].

    The lag is that against `noisy` or against `clean` [N], whichever it resembles more: far below
    0 dB, clean speech resembles the noise at any lag. It is at most 50 ms, or 0.5 s where there is
    no doubt. The gain is by least squares; a negative one means inverted polarity. Silence has no
    lag and stays silence.

    Example:
        >>> noisy = torch.tensor([0.0, 1.0, -2.0, 3.0, 1.0, 0.0])
        >>> late = torch.tensor([0.0, 0.0, 0.5, -1.0, 1.5, 0.5])
        >>> aligned = align(noisy, late, rate_hz=100)
        >>> aligned.lag, aligned.gain
        (1, 2.0)
    """
    references = [noisy] if clean is None else [noisy, clean]
    longest = round(LONGEST_LAG_S * rate_hz)
    lag = best_lag(references, enhanced, longest)
    if lag.correlation * TIMES_BETTER < 1:
        far = best_lag(references, enhanced, round(FARTHEST_LAG_S * rate_hz))
        if far.correlation >= max(BEYOND_DOUBT, TIMES_BETTER * lag.correlation):
            lag = far
            longest = max(longest, abs(far.samples))
    length = noisy.shape[0]
    moved = cut_or_pad(delayed(enhanced, -lag.samples), length)
    gain = least_squares_gain(moved, noisy)
    first = max(0, -lag.samples)
    last = min(length, enhanced.shape[0] - lag.samples)
    moved = continued(moved, first, last, longest)
    if gain == 0 or abs(gain - 1) < SAME_GAIN:
        return Aligned(moved, lag.samples, 1.0, lag.correlation)
    scaled = (moved.double() * gain).to(noisy.dtype)
    return Aligned(scaled, lag.samples, gain, lag.correlation)


def best_lag(references: Sequence[Tensor], samples: Tensor, longest: int) -> Lag:
    """The lag to the reference [N] that `samples` [M] resemble most; of equals, to the first."""
    lags = [find_lag(reference, samples, longest) for reference in references]
    return max(lags, key=lambda lag: lag.correlation)


def least_squares_gain(samples: Tensor, reference: Tensor) -> float:
    """The factor by which `samples` [N] come nearest to `reference` [N]; 1 for silence."""
    power = float(samples.double().square().sum())
    if power == 0:
        return 1.0
    return float((samples.double() * reference.double()).sum()) / power


def find_lag(reference: Tensor, samples: Tensor, longest: int) -> Lag:
    """By how many samples, within +-`longest`, `samples` [M] come later than `reference` [N]."""
    power = float(reference.double().square().sum() * samples.double().square().sum())
    size = 1 << (reference.shape[0] + samples.shape[0] + longest).bit_length()
    spectrum = torch.fft.rfft(reference.double(), size)
    other_spectrum = torch.fft.rfft(samples.double(), size)
    correlation = torch.fft.irfft(spectrum.conj() * other_spectrum, size).abs()
    lags = sorted(range(-longest, longest + 1), key=abs)
    values = correlation[torch.tensor(lags) % size]
    best = float(values.max())
    if best <= 0 or power <= 0:
        return Lag(0, 0.0)
    # The first of those that are as good: the smallest delay.
    as_good = (values >= best * (1 - TIE)).nonzero()
    return Lag(lags[int(as_good[0])], best / math.sqrt(power))


def delayed(samples: Tensor, delay: int) -> Tensor:
    """Samples [N] with `delay` zeros in front; of a negative delay the first ones are dropped."""
    if delay <= 0:
        return samples[-delay:]
    return torch.cat([samples.new_zeros(delay), samples])


def continued(samples: Tensor, first: int, last: int, longest: int) -> Tensor:
    """Samples [N], of which only `first` to `last` are there, mirrored into the gaps at either end.

    Gaps of more than `longest` samples stay silent. A few milliseconds of digital silence would
    change what is recognised: a logarithm makes much of them.
    """
    before = first
    after = samples.shape[0] - last
    most = min(longest, last - first)
    whole = samples.clone()
    if 0 < before <= most:
        whole[:first] = samples[first : first + before].flip(0)
    if 0 < after <= most:
        whole[last:] = samples[last - after : last].flip(0)
    return whole


def observation_added(enhanced: Tensor, noisy: Tensor, share: float) -> Tensor:
    """(1 - share) enhanced + share noisy, [N]: less noise taken away for fewer artifacts.

    Iwamoto et al., "How bad are artifacts?", 2022, arXiv 2201.06685.
    """
    if share == 0.0:
        return enhanced
    if share == 1.0:
        return noisy
    return (1 - share) * enhanced + share * noisy
