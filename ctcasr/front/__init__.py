"""Front-ends: samples to features."""

from ctcasr.front.augment import Augment
from ctcasr.front.frontend import FrontEnd
from ctcasr.front.mask import SpecAugment
from ctcasr.front.normalise import CorpusNorm, Unnormalised, UtteranceNorm
from ctcasr.front.spectrogram import Mel, Spectrogram

__all__ = ["Augment", "CorpusNorm", "FrontEnd", "Mel", "SpecAugment", "Spectrogram", "Unnormalised", "UtteranceNorm"]
