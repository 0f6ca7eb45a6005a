"""Sound at another sample rate, by a windowed sinc.

The interpolation is that of Julius O. Smith (Digital Audio Resampling,
https://ccrma.stanford.edu/~jos/resample/) with a Hann window, as torchaudio has it: its `Resample`
gives the same numbers.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

_ZERO_CROSSINGS = 6  # of the sinc on each side of its middle
_ROLLOFF = 0.99  # share of the lower Nyquist frequency that passes


class Resample:
    """Samples [..., N] at `from_hz` to samples [..., M] at `to_hz`, M = ceil(N * to_hz / from_hz).

    Differentiable; the filters are computed once, in float64, and kept as float32. Their number is
    `to_hz` and their length about `from_hz`, both divided by what the rates have in common.

    Raises:
        ValueError: for a rate below 1 Hz.

    Example:
        >>> Resample(48000, 16000)(torch.ones(2, 480)).shape
        torch.Size([2, 160])
    """

    def __init__(self, from_hz: int, to_hz: int) -> None:
        if from_hz < 1 or to_hz < 1:
            raise ValueError(f"expected sample rates of at least 1 Hz; got {from_hz} and {to_hz}")
        common = math.gcd(from_hz, to_hz)
        # A period holds so many samples before and after; then the same filters come again.
        self.period_in = from_hz // common
        self.period_out = to_hz // common
        self.filters = torch.ones(1, 1, 1)  # [period_out, 1, taps]
        self.width = 0  # samples that a filter sees before the first of a period
        if from_hz != to_hz:
            self.filters, self.width = _sinc_filters(self.period_in, self.period_out)

    def __call__(self, samples: Tensor) -> Tensor:
        """Samples [..., N] at the other rate.

        Raises:
            TypeError: for samples that are no floating point numbers.
        """
        if not samples.is_floating_point():
            raise TypeError(f"expected samples as floating point numbers; got {samples.dtype}")
        if self.period_in == self.period_out:
            return samples
        *outer, count = samples.shape
        rows = samples.reshape(math.prod(outer), 1, count)
        behind = self.width + self.period_in
        padded = functional.pad(rows, (self.width, behind))
        filters = self.filters.to(samples)
        periods = functional.conv1d(padded, filters, stride=self.period_in)  # [rows, out, periods]
        resampled = periods.transpose(1, 2).flatten(1)
        wanted = -(-count * self.period_out // self.period_in)  # rounded up, in whole numbers
        cut = resampled[:, :wanted]
        return cut.reshape(*outer, wanted)


class StreamingResample:
    """`Resample` of sound that comes piece by piece: the same samples, as soon as they are known.

    Example:
        >>> whole = torch.sin(torch.arange(4410) / 20)
        >>> streaming = StreamingResample(44100, 16000)
        >>> pieces = [streaming(piece) for piece in whole.split(1000)] + [streaming.finish()]
        >>> torch.allclose(torch.cat(pieces), Resample(44100, 16000)(whole), atol=1e-6)
        True
    """

    def __init__(self, from_hz: int, to_hz: int) -> None:
        self._resample = Resample(from_hz, to_hz)
        self._held = torch.zeros(self._resample.width)  # what later filters see
        self._taken = 0  # samples in
        self._given = 0  # samples out

    def __call__(self, samples: Tensor) -> Tensor:
        """The samples at the other rate that are known with samples [N] more."""
        if self._resample.period_in == self._resample.period_out:
            return samples
        self._taken += samples.shape[0]
        return self._filtered(samples)

    def finish(self) -> Tensor:
        """All that remain: behind the last sample is silence."""
        if self._resample.period_in == self._resample.period_out:
            return torch.zeros(0)
        period_in = self._resample.period_in
        wanted = -(-self._taken * self._resample.period_out // period_in)
        silence = torch.zeros(2 * (self._resample.width + period_in))
        return self._filtered(silence)[: wanted - self._given]

    def _filtered(self, samples: Tensor) -> Tensor:
        """Whole periods of what is held and of samples [N] behind it."""
        held = torch.cat((self._held, samples))
        taps = self._resample.filters.shape[2]
        period_in = self._resample.period_in
        periods = (held.shape[0] - taps) // period_in + 1
        if periods < 1:
            self._held = held
            return samples.new_zeros(0)
        seen = held[: (periods - 1) * period_in + taps]
        filtered = functional.conv1d(seen[None, None], self._resample.filters, stride=period_in)
        self._held = held[periods * period_in :].clone()
        resampled = filtered[0].transpose(0, 1).flatten()
        self._given += resampled.shape[0]
        return resampled


def _sinc_filters(period_in: int, period_out: int) -> tuple[Tensor, int]:
    """Filters [period_out, 1, taps], one for each sample of an output period, and their width.

    The sinc is cut where a Hann window over so many zero crossings ends. What lies above the lower
    Nyquist frequency is taken away.
    """
    cutoff = min(period_in, period_out) * _ROLLOFF
    width = math.ceil(_ZERO_CROSSINGS * period_in / cutoff)
    taps = torch.arange(-width, width + period_in, dtype=torch.float64)
    starts = torch.arange(0, -period_out, -1)
    tap_times = taps[None, None, :] / period_in
    start_times = starts[:, None, None] / period_out
    crossings = (start_times + tap_times) * cutoff
    crossings = crossings.clamp(-_ZERO_CROSSINGS, _ZERO_CROSSINGS)
    window = torch.cos(crossings * math.pi / _ZERO_CROSSINGS / 2) ** 2
    angle = crossings * math.pi
    sinc = torch.where(angle == 0, 1.0, angle.sin() / angle)
    scale = cutoff / period_in
    filters = sinc * (window * scale)
    return filters.float(), width
