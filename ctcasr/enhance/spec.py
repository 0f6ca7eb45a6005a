"""What an enhancer is made of, as plain data: presets, TOML, checkpoints."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ctcasr.front import FrontSpec
from ctcasr.specs import NetSpec, describe, from_plain, resolve_spec, to_plain
from ctcasr.video import LipSpec, Mouths

# How `ctcasr.video.VideoReader` shows frames to a network that is trained.
VIDEO_MODES = ("fixed", "as_published", "zeroed", "shuffled")
NETWORKS = ("mask", "av_mask", "dualpath")


@dataclass(frozen=True)
class DualPathSpec:
    """A learnt filter bank, one dual-path block, and the network that sees.

    Raises:
        ValueError: for sizes that no layer has, and filters with samples between them.
    """

    rate_hz: int = 16000
    filters: int = 256
    size: int = 16  # samples of a filter
    hop: int = 8  # samples from one frame to the next
    width: int = 32  # channels inside the separator
    hidden: int = 32  # of each LSTM
    chunk: int = 200  # frames
    convs: int = 0  # 3 x 3 convolutions per stage of the visual trunk; 0: nothing is seen
    seen: int = 256  # visual features
    causal: bool = False
    video: str = "fixed"  # one of VIDEO_MODES: how its videos are shown to it
    # "whole": 128 x 128 of all that is shown, as published; "mouth": as small as a lip reader's.
    pictures: str = "whole"

    def __post_init__(self) -> None:
        sizes = (self.rate_hz, self.filters, self.size, self.width, self.hidden, self.seen)
        if min(sizes) < 1 or self.convs < 0:
            raise ValueError(f"expected sizes of at least 1, and convs of 0 or more; got {self}")
        if not 1 <= self.hop <= self.size:
            raise ValueError(
                f"hop: expected 1 to {self.size} samples, or no filter hears some; got {self.hop}"
            )


@dataclass(frozen=True)
class AvMaskSpec:
    """A mask by what is heard and by the lips: `mask` as ever, with what `lips` see beside it."""

    mask: NetSpec = field(default_factory=NetSpec)
    lips: LipSpec = field(default_factory=LipSpec)
    video: str = "fixed"  # one of VIDEO_MODES: how its videos are shown to it


@dataclass(frozen=True)
class EnhanceSpec:
    """An enhancer, as plain data that TOML and a checkpoint can hold."""

    # "mask": on a spectrogram; "av_mask": with lips; "dualpath": in the time domain
    network: str = "mask"
    mask: NetSpec = field(default_factory=NetSpec)  # of "mask": front-end, RNN layers, head
    dualpath: DualPathSpec = field(default_factory=DualPathSpec)  # of "dualpath"
    av_mask: AvMaskSpec = field(default_factory=AvMaskSpec)  # of "av_mask"

    @property
    def rate_hz(self) -> int:
        """The sample rate inside."""
        if self.network == "mask":
            return self.mask.front.rate_hz
        if self.network == "av_mask":
            return self.av_mask.mask.front.rate_hz
        return self.dualpath.rate_hz

    @property
    def sees(self) -> bool:
        """True where video is used."""
        reads_pictures = self.network == "dualpath" and self.dualpath.convs > 0
        return reads_pictures or self.network == "av_mask"

    @property
    def video(self) -> str:
        """How its videos are shown to it: one of VIDEO_MODES."""
        if self.network == "av_mask":
            return self.av_mask.video
        return self.dualpath.video

    @property
    def pictures(self) -> Mouths | None:
        """What is cut out of its videos; None: they are shown whole."""
        if self.network == "av_mask":
            return Mouths.of(self.av_mask.lips)
        if self.dualpath.pictures == "mouth":
            return Mouths.of(LipSpec())
        return None

    def with_video(self, mode: str) -> EnhanceSpec:
        """The same, with videos shown in another of the VIDEO_MODES; ValueError for no such mode.

        Example:
            >>> read_enhancer("avse_lstm8").with_video("zeroed").video
            'zeroed'
        """
        _check_video(mode, "video")
        if self.network == "av_mask":
            return replace(self, av_mask=replace(self.av_mask, video=mode))
        return replace(self, dualpath=replace(self.dualpath, video=mode))


_WIDE = FrontSpec(kind="spectrogram", n_fft=512, window_s=0.032, hop_s=0.016, norm="none")
_MASK = NetSpec(_WIDE, rnn="lstm", layers=2, hidden=160, fc=(256,), dropout=0.1)
# At most 50,000 parameters: 40 mel bands in, 40 gains out, one direction.
_TINY = NetSpec(
    replace(_WIDE, kind="mel", bands=40, low_hz=0.0),
    rnn="gru",
    layers=2,
    hidden=64,
    bidirectional=False,
)


_AV = AvMaskSpec(replace(_MASK, hidden=128), LipSpec())
_AV_CAUSAL = AvMaskSpec(
    replace(_MASK, hidden=192, bidirectional=False), replace(LipSpec(), causal=True)
)


def _dual(convs: int, causal: bool = False) -> EnhanceSpec:
    return EnhanceSpec("dualpath", dualpath=DualPathSpec(convs=convs, causal=causal))


ENHANCERS: dict[str, EnhanceSpec] = {
    "mask": EnhanceSpec(mask=_MASK),
    "mask_causal": EnhanceSpec(mask=replace(_MASK, hidden=256, bidirectional=False)),
    "mask_tiny": EnhanceSpec(mask=_TINY),
    "av_mask": EnhanceSpec("av_mask", av_mask=_AV),
    "av_mask_causal": EnhanceSpec("av_mask", av_mask=_AV_CAUSAL),
    "avse_lstm12": _dual(2),
    "avse_lstm8": _dual(1),
    "avse_lstm8_causal": _dual(1, causal=True),
    "dualpath": _dual(0),
    "dualpath_causal": _dual(0, causal=True),
}


def read_enhancer(name: str) -> EnhanceSpec:
    """A preset by its name, or a TOML file's spec (`.toml`), with changes behind it.

    Raises ValueError that names the nearest preset or field.

    Example:
        >>> read_enhancer("dualpath dualpath.hidden=48").dualpath.hidden
        48
    """
    return resolve_spec(name, ENHANCERS, enhancer_from)


def enhancer_to(spec: EnhanceSpec) -> dict[str, Any]:
    """The spec as plain data, of the network that it names only."""
    data = to_plain(dataclasses.asdict(spec))
    return {"network": spec.network, spec.network: data[spec.network]}


def enhancer_from(data: Mapping[str, Any], where: str = "spec") -> EnhanceSpec:
    """A spec from plain data; an unknown key raises ValueError that names the nearest field."""
    spec: EnhanceSpec = from_plain(EnhanceSpec, data, where)
    if spec.network not in NETWORKS:
        known = ", ".join(repr(name) for name in NETWORKS)
        raise ValueError(f"{where}.network: expected one of {known}; got {spec.network!r}")
    _check_video(spec.video, f"{where}.{spec.network}.video")
    if spec.dualpath.pictures not in ("whole", "mouth"):
        raise ValueError(
            f"{where}.dualpath.pictures: expected 'whole' or 'mouth'; got "
            f"{spec.dualpath.pictures!r}"
        )
    if spec.av_mask.lips.convs:
        raise ValueError(
            f"{where}.av_mask.lips.convs: expected 0, a trunk of its own; the published one is "
            "that of the network 'dualpath'"
        )
    return spec


def _check_video(mode: str, where: str) -> None:
    if mode not in VIDEO_MODES:
        raise ValueError(f"{where}: expected one of {', '.join(VIDEO_MODES)}; got {mode!r}")


def describe_enhancer(spec: EnhanceSpec) -> str:
    """The spec in one line, for people: "mask on spectrogram 257, 2 x BiLSTM 160, FC-256".

    Example:
        >>> describe_enhancer(read_enhancer("avse_lstm8"))
        'dual-path LSTM 32 on 256 learnt filters, video by 4 3x3 conv'
    """
    if spec.network == "mask":
        return f"mask on {describe(spec.mask)}"
    if spec.network == "av_mask":
        lips = spec.av_mask.lips
        seen = f"{len(lips.channels)} conv to {lips.features}"
        return f"mask on {describe(spec.av_mask.mask)}, lips {lips.height} x {lips.width} by {seen}"
    path = spec.dualpath
    causal = "causal " if path.causal else ""
    video = ""
    if path.convs:
        video = f", video by {4 * path.convs} 3x3 conv"
    return f"{causal}dual-path LSTM {path.hidden} on {path.filters} learnt filters{video}"
