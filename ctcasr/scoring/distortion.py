"""Scale-invariant signal-to-distortion ratio, and a tally of it over files."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from ctcasr.seq import Seq

_TINY = 1e-8


def si_snr(estimate: Seq, target: Seq) -> Tensor:
    """Scale-invariant SNR [B] in dB of estimates [B, N] for targets [B, N], means taken off, over real samples (Le Roux et al. 2019).

    A silent target gives a very low value: see `silent`.
    """
    wanted, given = _centred(target), _centred(estimate)
    power = wanted.square().sum(1, keepdim=True)
    part = (given * wanted).sum(1, keepdim=True) / (power + _TINY) * wanted
    ratio = (part.square().sum(1) + _TINY) / ((given - part).square().sum(1) + _TINY)
    return 10 * ratio.log10()


def silent(target: Seq) -> Tensor:
    """Which targets [B] hold nothing to be found."""
    return _centred(target).square().sum(1) < _TINY


def _centred(x: Seq) -> Tensor:
    x = x.zero_padding()
    mean = x.data.sum(1, keepdim=True) / x.device_lengths.clamp(min=1)[:, None]
    return x.with_data(x.data - mean).zero_padding().data


@dataclass(frozen=True)
class Distortions:
    """SI-SDR in dB of each file before and after; tallies add."""

    before: tuple[float, ...] = ()
    after: tuple[float, ...] = ()

    def __add__(self, other: Distortions) -> Distortions:
        return Distortions(self.before + other.before, self.after + other.after)

    @staticmethod
    def of(noisy: Seq, enhanced: Seq, clean: Seq) -> Distortions:
        """The tally of a batch [B, N]; a silent target counts nothing."""
        keep = [row for row, quiet in enumerate(silent(clean).tolist()) if not quiet]
        before, after = si_snr(noisy, clean).tolist(), si_snr(enhanced, clean).tolist()
        return Distortions(tuple(before[row] for row in keep), tuple(after[row] for row in keep))

    @property
    def improvements(self) -> Sequence[float]:
        """dB gained, file by file."""
        return [after - before for before, after in zip(self.before, self.after, strict=True)]

    def metrics(self) -> dict[str, Any]:
        """Means and the median as plain data."""
        if not self.after:
            return {"files": 0}
        gained = self.improvements
        return {
            "si_sdr": statistics.fmean(self.after),
            "si_sdr_input": statistics.fmean(self.before),
            "si_sdr_improvement": statistics.fmean(gained),
            "si_sdr_improvement_median": statistics.median(gained),
            "worse": sum(gain < 0 for gain in gained),
            "files": len(gained),
        }
