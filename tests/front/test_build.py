"""Every field of a front-end's spec reaches the part that it describes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ctcasr.front import (
    CorpusNorm,
    FrontSpec,
    LiftedNorm,
    Mel,
    Spectrogram,
    Unnormalised,
    UtteranceNorm,
    build_extract,
    build_norm,
)

ODD = FrontSpec(
    rate_hz=8000,
    bands=30,
    low_hz=50.0,
    high_hz=3500.0,
    n_fft=256,
    window_s=0.032,
    hop_s=0.008,
    power=1.0,
    centred=False,
    range_db=70.0,
    floor_db=65.0,
)


def test_a_mel_front_is_as_the_spec_says() -> None:
    extract = build_extract(ODD)
    same = Mel(8000, 30, 50.0, 3500.0, 256, 0.032, 0.008, 1.0, True, False, 70.0, 65.0)
    assert isinstance(extract, Mel) and extract.bins == 30
    assert bool((extract.filters == same.filters).all())
    names = ("rate_hz", "n_fft", "win", "hop", "power", "log", "centred", "range_db", "floor_db")
    for name in names:
        assert getattr(extract, name) == getattr(same, name), name
    assert extract.framing == same.framing


def test_a_spectrogram_has_no_bands() -> None:
    extract = build_extract(replace(ODD, kind="spectrogram", log=False, range_db=0.0, floor_db=0.0))
    assert type(extract) is Spectrogram and extract.bins == 129
    assert not extract.log and not extract.centred and extract.power == 1.0


@pytest.mark.parametrize(
    ("norm", "kind", "whitening"),
    [
        ("none", Unnormalised, None),
        ("utterance", UtteranceNorm, None),
        ("utterance-mean", UtteranceNorm, None),
        ("corpus", CorpusNorm, None),
        ("pca", CorpusNorm, "pca"),
        ("zca", CorpusNorm, "zca"),
        ("utterance-pca", CorpusNorm, "pca"),
        ("utterance-zca", CorpusNorm, "zca"),
        ("lifted", LiftedNorm, "zca"),
        ("lifted-mean", LiftedNorm, "zca"),
    ],
)
def test_norms(norm: str, kind: type, whitening: str | None) -> None:
    built = build_norm(replace(ODD, norm=norm, shrinkage=0.2, lift=0.4), bins=30)
    assert type(built) is kind
    if isinstance(built, UtteranceNorm):
        assert built.each_bin == (norm == "utterance")
    if isinstance(built, CorpusNorm):
        assert (built.bins, built.whitening) == (30, whitening)
        assert built.shrinkage == (0.2 if whitening else 0.01)
        assert getattr(built, "lift", 0.4) == 0.4
        assert built.by_utterance == (norm.startswith(("utterance-", "lifted")))
    if isinstance(built, LiftedNorm):
        assert built.own.each_bin == (norm == "lifted")


def test_unknown_kinds_are_named() -> None:
    with pytest.raises(ValueError, match=r"front\.kind: expected .* got 'mfcc'"):
        build_extract(replace(ODD, kind="mfcc"))
    with pytest.raises(ValueError, match=r"front\.norm: expected .* got 'layer'"):
        build_norm(replace(ODD, norm="layer"), bins=30)
