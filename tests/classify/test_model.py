"""Specs of classifiers as plain data, and the networks that they describe."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from ctcasr.classify.model import (
    CLASSIFIERS,
    ClassifierSpec,
    build_classifier,
    classifier_from,
    classifier_to,
    describe_classifier,
    read_classifier,
)
from ctcasr.front import FrontSpec
from ctcasr.seq import Seq
from ctcasr.specs import ConvSpec

SMALL = ClassifierSpec(
    FrontSpec(8000, bands=20, n_fft=256, window_s=0.032, hop_s=0.02),
    0.5,
    "conv",
    (ConvSpec(4, (3, 3), (2, 2)),),
)


def noise(count: int, seed: int = 0) -> torch.Tensor:
    return 0.1 * torch.randn(count, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_presets_are_plain_data_and_back(name: str) -> None:
    spec = read_classifier(name)
    assert classifier_from(classifier_to(spec)) == spec and describe_classifier(spec)


@pytest.mark.parametrize("name", [n for n in CLASSIFIERS if not n.endswith("_spec")])
def test_presets_take_a_clip(name: str) -> None:
    spec = read_classifier(name)
    model = build_classifier(spec, 4).eval()
    if model.front.needs_statistics:
        model.front.fit([Seq.stack([noise(spec.samples)], spec.front.rate_hz)])
    with torch.no_grad():
        logits, side = model(
            Seq.stack([noise(spec.samples, n) for n in range(2)], spec.front.rate_hz)
        )
    assert logits.shape == (2, 4) and side == ()


def test_the_keyword_front_end_gives_97_frames_of_20_bands() -> None:
    spec = read_classifier("kws_cnn")
    model = build_classifier(spec, 2)
    model.front.fit([Seq.stack([noise(16000)], 16000)])
    assert model.features(Seq.stack([noise(16000)], 16000)).shape == (1, 1, 20, 97)
    assert [c.channels for c in spec.conv] == [128, 64, 32, 16]


def test_big_networks_see_a_picture_of_three_equal_channels() -> None:
    spec = read_classifier("resnet_spec_as_published")
    model = build_classifier(spec, 2)
    samples = Seq.stack([noise(spec.samples)], spec.front.rate_hz)
    model.front.fit([samples])
    picture = model.features(samples)
    assert picture.shape == (1, 3, 224, 224) and torch.equal(picture[:, 0], picture[:, 2])


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"network": "vgg"}, "got 'vgg'"),
        ({"network": "resnet"}, "size of a picture"),
        ({"network": "bcresnet"}, "multiple of 40"),
        ({"picture": 224}, "picture: conv sees features as they are, expected 0"),
        ({"network": "googlenet", "picture": 128}, "size of a picture .* 224; got 128"),
        ({"network": "resnet", "picture": -1}, "size of a picture"),
        ({"clip_s": 0.0}, "clip_s: expected clips of a frame at least"),
    ],
)
def test_specs_that_describe_nothing_are_refused(change: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        build_classifier(classifier_from({**classifier_to(SMALL), **change}), 2)


def test_unknown_presets_keys_and_single_classes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="did you mean 'kws_cnn'"):
        read_classifier("kws_cn")
    (tmp_path / "net.toml").write_text("clip_ss = 1.0\n", encoding="utf-8")
    with pytest.raises(ValueError, match="did you mean 'clip_s'"):
        read_classifier(str(tmp_path / "net.toml"))
    with pytest.raises(ValueError, match="two classes or more"):
        build_classifier(SMALL, 1)


def test_clips_of_another_length_are_refused() -> None:
    with pytest.raises(ValueError, match=r"clips of 4000 samples; got \[3000, 4000\]"):
        build_classifier(SMALL, 3)(Seq.stack([noise(4000), noise(3000)], 8000))
