"""A spec becomes a front-end."""

from __future__ import annotations

from torch import nn

from ctcasr.front.normalise import CorpusNorm, Unnormalised, UtteranceNorm
from ctcasr.front.spec import FrontSpec
from ctcasr.front.spectrogram import Mel, Spectrogram


def build_extract(spec: FrontSpec) -> Spectrogram:
    """The part that turns samples into spectrogram or mel features."""
    if spec.kind == "mel":
        return Mel(
            spec.rate_hz,
            spec.bands,
            spec.low_hz,
            spec.high_hz,
            spec.n_fft,
            spec.window_s,
            spec.hop_s,
            spec.power,
            spec.log,
            spec.centred,
            spec.range_db,
        )
    if spec.kind == "spectrogram":
        return Spectrogram(
            spec.rate_hz,
            spec.n_fft,
            spec.window_s,
            spec.hop_s,
            spec.power,
            spec.log,
            spec.centred,
            spec.range_db,
        )
    raise ValueError(f"front.kind: expected 'mel' or 'spectrogram'; got {spec.kind!r}")


def build_norm(spec: FrontSpec, bins: int) -> nn.Module:
    """The normalisation of the features."""
    if spec.norm == "none":
        return Unnormalised()
    if spec.norm == "utterance":
        return UtteranceNorm()
    if spec.norm in ("corpus", "pca", "zca"):
        return CorpusNorm(bins, None if spec.norm == "corpus" else spec.norm, spec.shrinkage)
    raise ValueError(
        f"front.norm: expected 'none', 'utterance', 'corpus', 'pca' or 'zca'; got {spec.norm!r}"
    )
