"""Kaldi's interval of an error rate, and its chance of improvement (compute-wer-bootci)."""

from __future__ import annotations

from dataclasses import dataclass

from ctcasr.scoring.bootstrap import DRAWS, Floats, Paired, draw

NORMAL_95 = 1.96  # standard deviations on either side, as Kaldi has them


@dataclass(frozen=True)
class BootCI:
    """Mean rate of the draws and the half width of the 95 % interval; shares of 1."""

    mean: float
    half_width: float

    @property
    def interval(self) -> tuple[float, float]:
        """Both ends."""
        return self.mean - self.half_width, self.mean + self.half_width


def bootci(errors: Floats, words: Floats, draws: int = DRAWS, seed: int = 0) -> BootCI:
    """The 95 % interval of the error rate of utterances [U], as Kaldi computes it.

    Bisani and Ney 2004 draw utterances; Kaldi takes mean and 1.96 standard deviations of the
    draws. It is symmetric, not widened for few utterances, and may begin below zero.

    Example:
        >>> import numpy as np
        >>> ci = bootci(np.array([1.0, 0, 2, 1] * 25), np.full(100, 10.0))
        >>> round(ci.mean, 3), round(ci.half_width, 3)
        (0.1, 0.014)
    """
    rates = draw(Paired(0 * errors, errors, words), draws, seed)
    return BootCI(float(rates.mean()), NORMAL_95 * float(rates.std()))


def improvement(pair: Paired, draws: int = DRAWS, seed: int = 0) -> float:
    """Share of the draws in which `other` makes fewer errors than `base`.

    Example:
        >>> import numpy as np
        >>> improvement(Paired(np.full(9, 2.0), np.full(9, 1.0), np.full(9, 6.0)))
        1.0
    """
    drawn = draw(pair, draws, seed)
    return float((drawn < 0).mean())
