"""Front-ends: samples to features."""

from ctcasr.front.augment import Augment, snr_range
from ctcasr.front.build import build_extract, build_norm
from ctcasr.front.frontend import FrontEnd
from ctcasr.front.mask import SpecAugment
from ctcasr.front.normalise import CorpusNorm, LiftedNorm, Unnormalised, UtteranceNorm
from ctcasr.front.spec import FrontSpec
from ctcasr.front.spectrogram import Mel, Spectrogram

__all__ = [
    "Augment",
    "CorpusNorm",
    "FrontEnd",
    "FrontSpec",
    "LiftedNorm",
    "Mel",
    "SpecAugment",
    "Spectrogram",
    "Unnormalised",
    "UtteranceNorm",
    "build_extract",
    "build_norm",
    "snr_range",
]
