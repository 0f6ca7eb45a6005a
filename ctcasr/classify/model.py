"""Classifiers of sounds of a fixed length: specs, presets, and the networks that these describe."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from torch import Tensor, nn
from torch.nn import functional

from ctcasr.front import FrontEnd, FrontSpec, SpecAugment, build_extract, build_norm
from ctcasr.net import BCResNet, ConvClassifier, GoogLeNet, ResNet
from ctcasr.seq import Seq
from ctcasr.specs import ConvSpec, from_plain, resolve_spec, to_plain

GOOGLENET_PICTURE = 224  # pixels; its auxiliary heads take no other
Auxiliary = tuple[tuple[float, Tensor], ...]  # weight and logits [B, classes] of each head

_KEYWORD = FrontSpec(
    rate_hz=16000,
    bands=20,
    low_hz=20.0,
    high_hz=6000.0,
    n_fft=512,
    window_s=0.032,
    hop_s=0.010,
    norm="corpus",
    centred=False,
)
_SOUND = FrontSpec(
    rate_hz=22050,
    bands=128,
    low_hz=0.0,
    n_fft=2048,
    window_s=2048 / 22050,
    hop_s=512 / 22050,
    norm="corpus",
    range_db=80.0,
)


@dataclass(frozen=True)
class ClassifierSpec:
    """A classifier with its front-end, as plain data that TOML and a checkpoint can hold."""

    front: FrontSpec = field(default_factory=FrontSpec)
    clip_s: float = 1.0  # every clip is made so long
    network: str = "conv"  # "conv", "bcresnet", "googlenet", "resnet"
    conv: tuple[ConvSpec, ...] = ()  # layers of "conv"
    width: float = 1.0  # of "bcresnet"
    corrected: bool = True  # "googlenet" and "resnet": False as they were published
    picture: int = 0  # features are resized to a square of so many pixels; 0: as they are
    dropout: float = 0.0  # before the last layer ("conv", "googlenet")

    @property
    def samples(self) -> int:
        """Samples of a clip."""
        return round(self.clip_s * self.front.rate_hz)


_HALVINGS = ((2, 2), (2, 2), (1, 2))  # strides (time, frequency) of the first layers


def _keyword(*layers: tuple[int, tuple[int, int]]) -> ClassifierSpec:
    """(Channels, kernel) of each layer.

    The first three halve the frequency, so that the last ones see all of it: behind the global
    average nobody knows where it was.
    """
    conv = []
    for index, (channels, kernel) in enumerate(layers):
        stride = _HALVINGS[index] if index < len(_HALVINGS) else (1, 1)
        conv.append(ConvSpec(channels, kernel, stride))
    return ClassifierSpec(_KEYWORD, 1.0, "conv", tuple(conv))


_BIG = ClassifierSpec(_SOUND, 4.0, "googlenet", picture=224, dropout=0.1)

CLASSIFIERS: dict[str, ClassifierSpec] = {
    "kws_cnn": _keyword((128, (5, 5)), (64, (3, 3)), (32, (3, 3)), (16, (5, 3))),
    "kws_cnn_16": _keyword((16, (5, 5)), (16, (5, 3)), (16, (5, 3)), (16, (5, 3))),
    "kws_cnn_reference": _keyword((128, (5, 5)), (128, (5, 3)), (128, (5, 3))),
    "kws_bcresnet": ClassifierSpec(
        replace(_KEYWORD, bands=40, high_hz=None, centred=True), 1.0, "bcresnet"
    ),
    "sound_small": ClassifierSpec(
        replace(_SOUND, bands=64, range_db=0.0),
        4.0,
        "conv",
        (
            ConvSpec(16, (5, 5), (2, 2)),
            ConvSpec(32, (3, 3), (2, 2)),
            ConvSpec(48, (3, 3), (2, 2)),
            ConvSpec(64, (3, 3), (1, 2)),
            ConvSpec(96, (3, 3), (1, 2)),
        ),
        dropout=0.3,
    ),
    "googlenet_spec": _BIG,
    "googlenet_spec_as_published": replace(_BIG, corrected=False),
    "resnet_spec": replace(_BIG, network="resnet", dropout=0.0),
    "resnet_spec_as_published": replace(_BIG, network="resnet", dropout=0.0, corrected=False),
}


class SoundClassifier(nn.Module):
    """Front-end and network: samples [B, N] of a fixed length to logits [B, classes]."""

    def __init__(self, front: FrontEnd, body: nn.Module, samples: int, picture: int) -> None:
        super().__init__()
        self.front = front
        self.body = body
        self.samples = samples
        self.picture = picture

    def features(
        self, samples: Seq, augment: SpecAugment | None = None, seeds: tuple[int, ...] = ()
    ) -> Tensor:
        """What the network sees: features [B, 1, F, T], or pictures [B, 3, H, W].

        Raises ValueError for clips of another length.
        """
        if any(length != self.samples for length in samples.lengths):
            raise ValueError(
                f"expected clips of {self.samples} samples; got {sorted(set(samples.lengths))}: "
                "pad or cut them (data.Clip)"
            )
        frames = self.front(samples, augment, seeds)
        features = frames.data.transpose(1, 2).unsqueeze(1)
        if not self.picture:
            return features
        square = (self.picture, self.picture)
        resized = functional.interpolate(features, square, mode="bilinear", align_corners=False)
        return resized.expand(-1, 3, -1, -1)

    def forward(
        self, samples: Seq, augment: SpecAugment | None = None, seeds: tuple[int, ...] = ()
    ) -> tuple[Tensor, Auxiliary]:
        """Logits [B, classes] of samples [B, N], and in training those of auxiliary heads."""
        result = self.body(self.features(samples, augment, seeds))
        if isinstance(result, tuple):
            return result
        return result, ()


def build_classifier(spec: ClassifierSpec, classes: int) -> SoundClassifier:
    """The classifier that `spec` describes, with `classes` outputs.

    Raises ValueError for fewer than two classes, and where the spec describes none.

    Example:
        >>> model = build_classifier(read_classifier("sound_small"), 10).eval()
        >>> model.samples / model.front.extract.rate_hz
        4.0
    """
    if classes < 2:
        raise ValueError(f"expected two classes or more to tell apart; got {classes}")
    extract = build_extract(spec.front)
    front = FrontEnd(extract, build_norm(spec.front, extract.bins))
    if not front.framing.count(spec.samples):
        raise ValueError(
            f"clip_s: expected clips of a frame at least ({spec.front.n_fft} samples); "
            f"got {spec.samples} samples ({spec.clip_s:g} s)"
        )
    _check_picture(spec)
    body = _body(spec, extract.bins, classes)
    return SoundClassifier(front, body, spec.samples, spec.picture)


def _check_picture(spec: ClassifierSpec) -> None:
    """ValueError for pictures that the network cannot see."""
    if spec.network in ("conv", "bcresnet") and spec.picture:
        raise ValueError(
            f"picture: {spec.network} sees features as they are, expected 0; got {spec.picture}"
        )
    if spec.network == "resnet" and spec.picture < 1:
        raise ValueError(f"resnet: expected the size of a picture (224); got {spec.picture}")
    if spec.network == "googlenet" and spec.picture != GOOGLENET_PICTURE:
        raise ValueError(
            f"googlenet: expected the size of a picture its heads were made for, "
            f"{GOOGLENET_PICTURE}; got {spec.picture}"
        )


def _body(spec: ClassifierSpec, bins: int, classes: int) -> nn.Module:
    if spec.network == "conv":
        layers = [(conv.channels, conv.kernel, conv.stride) for conv in spec.conv]
        return ConvClassifier(layers, classes, spec.dropout)
    if spec.network == "bcresnet":
        return BCResNet(bins, classes, spec.width)
    if spec.network == "googlenet":
        return GoogLeNet(classes, spec.corrected, dropout=spec.dropout)
    if spec.network == "resnet":
        return ResNet(classes, spec.corrected)
    raise ValueError(
        f"network: expected 'conv', 'bcresnet', 'googlenet' or 'resnet'; got {spec.network!r}"
    )


def read_classifier(name: str) -> ClassifierSpec:
    """A preset by its name, or a TOML file's spec (`.toml`), with changes behind it.

    Raises ValueError that names the nearest preset or field.

    Example:
        >>> read_classifier("kws_cnn clip_s=0.5").samples
        8000
    """
    return resolve_spec(name, CLASSIFIERS, classifier_from)


def classifier_to(spec: ClassifierSpec) -> dict[str, Any]:
    """The spec as plain data, without what is None."""
    data: dict[str, Any] = to_plain(dataclasses.asdict(spec))
    return data


def classifier_from(data: Mapping[str, Any], where: str = "spec") -> ClassifierSpec:
    """A spec from plain data; an unknown key raises ValueError that names the nearest field."""
    spec: ClassifierSpec = from_plain(ClassifierSpec, data, where)
    return spec


def describe_classifier(spec: ClassifierSpec) -> str:
    """The spec in one line, for people.

    Example:
        >>> describe_classifier(read_classifier("kws_cnn"))
        'mel 20, 4 conv 128-64-32-16, 1 s'
    """
    if spec.network == "conv":
        channels = "-".join(str(conv.channels) for conv in spec.conv)
        body = f"{len(spec.conv)} conv {channels}"
    elif spec.network == "bcresnet":
        body = f"BC-ResNet {spec.width:g}"
    elif spec.corrected:
        body = spec.network
    else:
        body = f"{spec.network} as published"
    return f"{spec.front.kind} {spec.front.bands}, {body}, {spec.clip_s:g} s"
