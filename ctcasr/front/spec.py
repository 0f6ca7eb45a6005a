"""What a front-end is made of, as plain data."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class FrontSpec:
    """What turns samples into features."""

    rate_hz: int = 16000
    kind: str = "mel"  # "mel" or "spectrogram"
    bands: int = 80  # mel bands
    low_hz: float = 20.0
    n_fft: int = 512
    window_s: float = 0.025
    hop_s: float = 0.010
    power: float = 2.0  # 2: power, 1: amplitude
    log: bool = True
    # "none"; "utterance": its mean and variance, band by band; "utterance-mean": its mean, band by
    # band, and one variance of all bands; "corpus"; whitened by the corpus "pca", "zca", and, less
    # the mean of the utterance first, "utterance-pca", "utterance-zca"; "utterance-zca" mixed with
    # "utterance": "lifted", and with "utterance-mean": "lifted-mean".
    norm: str = "utterance"
    shrinkage: float = 0.01  # of the covariance, for whitening
    lift: float = 0.5  # share of whitened features in "lifted" ones
    high_hz: float | None = None  # upper end of the mel bands; None: half the sample rate
    # Zeros beyond both ends, so that frames are centred; False: only whole windows.
    centred: bool = True
    # Decibels below the loudest point of the clip, no more than so many; 0: natural logarithm.
    range_db: float = 0.0
    # Levels are those above the mean of the utterance, with the logarithm's floor so many decibels
    # below it, whatever the gain; 0: levels as they are above an absolute floor.
    floor_db: float = 0.0
