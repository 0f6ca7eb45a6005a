"""Tallies that add, and how sure they are: error rates, confusion, SI-SDR, bootstrap."""

from ctcasr.scoring.bootstrap import Difference, Paired, against, holm
from ctcasr.scoring.confusion import Confusion, PooledAccuracy, pooled, wilson
from ctcasr.scoring.distortion import Distortions, si_sdr
from ctcasr.scoring.errors import ErrorRates, ErrorTally, alignment, char_errors, word_errors

__all__ = [
    "Confusion",
    "Difference",
    "Distortions",
    "ErrorRates",
    "ErrorTally",
    "Paired",
    "PooledAccuracy",
    "against",
    "alignment",
    "char_errors",
    "holm",
    "pooled",
    "si_sdr",
    "wilson",
    "word_errors",
]
