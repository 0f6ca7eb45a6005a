"""Tallies that add, and how sure they are: word and character errors, confusion, SI-SDR, bootstrap."""

from ctcasr.scoring.bootstrap import Difference, Paired, against, holm
from ctcasr.scoring.confusion import Confusion
from ctcasr.scoring.distortion import Distortions, si_snr
from ctcasr.scoring.errors import ErrorRates, ErrorTally, char_errors, word_errors

__all__ = [
    "Confusion",
    "Difference",
    "Distortions",
    "ErrorTally",
    "Paired",
    "ErrorRates",
    "against",
    "char_errors",
    "holm",
    "si_snr",
    "word_errors",
]
