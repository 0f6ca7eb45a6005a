"""Scale-invariant signal-to-distortion ratio, and a tally of it over files."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ctcasr.seq import Seq

_TINY = 1e-8  # energy (sum of squares) that counts as none


def si_sdr(estimate: Seq, target: Seq) -> Tensor:
    """Scale-invariant SDR [B] in dB of estimates [B, N] for targets [B, N], over real samples.

    Means are taken off first. A silent target gives a very low value: see `silent`.
    Le Roux et al., "SDR: half-baked or well done?", ICASSP 2019.

    Example:
        >>> clean = Seq.stack([torch.tensor([1.0, -1.0, 1.0, -1.0])], 8000)
        >>> noisy = clean.with_data(clean.data + torch.tensor([0.1, 0.1, -0.1, -0.1]))
        >>> round(float(si_sdr(noisy, clean)[0]))
        20
    """
    wanted = _centred(target)
    given = _centred(estimate)
    wanted_energy = wanted.square().sum(1, keepdim=True)
    projection = (given * wanted).sum(1, keepdim=True) / (wanted_energy + _TINY) * wanted
    distortion = given - projection
    ratio = (projection.square().sum(1) + _TINY) / (distortion.square().sum(1) + _TINY)
    return 10 * ratio.log10()


def silent(target: Seq) -> Tensor:
    """Which targets [B] hold nothing to be found."""
    return _centred(target).square().sum(1) < _TINY


def _centred(signals: Seq) -> Tensor:
    """Samples [B, N] less the mean of each row's real ones; padding is zero."""
    signals = signals.zero_padding()
    lengths = signals.device_lengths.clamp(min=1)[:, None]
    means = signals.data.sum(1, keepdim=True) / lengths
    return signals.with_data(signals.data - means).zero_padding().data


@dataclass(frozen=True)
class Distortions:
    """SI-SDR in dB of each file before and after; tallies add.

    Example:
        >>> total = Distortions((0.0,), (5.0,)) + Distortions((2.0,), (1.0,))
        >>> list(total.improvements), total.metrics()["worse"]
        ([5.0, -1.0], 1)
    """

    before: tuple[float, ...] = ()
    after: tuple[float, ...] = ()

    def __add__(self, other: Distortions) -> Distortions:
        return Distortions(self.before + other.before, self.after + other.after)

    @staticmethod
    def of(noisy: Seq, enhanced: Seq, clean: Seq) -> Distortions:
        """The tally of a batch [B, N]; a silent target counts nothing."""
        audible = torch.logical_not(silent(clean))
        before = si_sdr(noisy, clean)[audible]
        after = si_sdr(enhanced, clean)[audible]
        return Distortions(tuple(before.tolist()), tuple(after.tolist()))

    @property
    def improvements(self) -> Sequence[float]:
        """dB gained, file by file."""
        return [after - before for before, after in zip(self.before, self.after, strict=True)]

    def metrics(self) -> dict[str, float]:
        """What a record holds; without a file only `files`.

        Keys: si_sdr (after), si_sdr_input (before) and si_sdr_improvement, means in dB;
        si_sdr_improvement_median; worse, the number of files that lost; files.
        """
        if not self.after:
            return {"files": 0}
        improvements = self.improvements
        return {
            "si_sdr": statistics.fmean(self.after),
            "si_sdr_input": statistics.fmean(self.before),
            "si_sdr_improvement": statistics.fmean(improvements),
            "si_sdr_improvement_median": statistics.median(improvements),
            "worse": sum(improvement < 0 for improvement in improvements),
            "files": len(improvements),
        }
