"""A spec becomes a front-end."""

from __future__ import annotations

from torch import nn

from ctcasr.front.normalise import CorpusNorm, LiftedNorm, Unnormalised, UtteranceNorm
from ctcasr.front.spec import FrontSpec
from ctcasr.front.spectrogram import Mel, Spectrogram


def build_extract(spec: FrontSpec) -> Spectrogram:
    """The part that turns samples into spectrogram or mel features.

    Raises:
        ValueError: for a kind that is neither, and whatever the parts refuse.

    Example:
        >>> build_extract(FrontSpec(bands=40)).bins
        40
    """
    if spec.kind == "mel":
        return Mel(
            spec.rate_hz,
            bands=spec.bands,
            low_hz=spec.low_hz,
            high_hz=spec.high_hz,
            n_fft=spec.n_fft,
            window_s=spec.window_s,
            hop_s=spec.hop_s,
            power=spec.power,
            log=spec.log,
            centred=spec.centred,
            range_db=spec.range_db,
            floor_db=spec.floor_db,
        )
    if spec.kind == "spectrogram":
        return Spectrogram(
            spec.rate_hz,
            n_fft=spec.n_fft,
            window_s=spec.window_s,
            hop_s=spec.hop_s,
            power=spec.power,
            log=spec.log,
            centred=spec.centred,
            range_db=spec.range_db,
            floor_db=spec.floor_db,
        )
    raise ValueError(f"front.kind: expected 'mel' or 'spectrogram'; got {spec.kind!r}")


def build_norm(spec: FrontSpec, bins: int) -> nn.Module:
    """The normalisation of features of so many bins.

    Raises:
        ValueError: for a name that is not known.

    Example:
        >>> type(build_norm(FrontSpec(norm="zca"), bins=40)).__name__
        'CorpusNorm'
    """
    if spec.norm == "none":
        return Unnormalised()
    if spec.norm == "utterance":
        return UtteranceNorm()
    if spec.norm == "utterance-mean":
        return UtteranceNorm(each_bin=False)
    if spec.norm == "corpus":
        return CorpusNorm(bins)
    if spec.norm in ("pca", "zca"):
        return CorpusNorm(bins, spec.norm, spec.shrinkage)
    if spec.norm in ("utterance-pca", "utterance-zca"):
        whitening = spec.norm.removeprefix("utterance-")
        return CorpusNorm(bins, whitening, spec.shrinkage, by_utterance=True)
    if spec.norm in ("lifted", "lifted-mean"):
        return LiftedNorm(bins, spec.shrinkage, spec.lift, each_bin=spec.norm == "lifted")
    raise ValueError(
        "front.norm: expected 'none', 'utterance', 'utterance-mean', 'corpus', 'pca', 'zca', "
        f"'utterance-pca', 'utterance-zca', 'lifted' or 'lifted-mean'; got {spec.norm!r}"
    )
