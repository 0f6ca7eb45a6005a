"""What an enhancer is made of, as plain data: presets, TOML, checkpoints."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ctcasr.front import FrontSpec
from ctcasr.specs import NetSpec, describe, from_plain, resolve_spec, to_plain

VIDEO_MODES = ("fixed", "as_published", "zeroed")  # how `ctcasr.video.VideoReader` shows frames


@dataclass(frozen=True)
class DualPathSpec:
    """A learnt filter bank, one dual-path block, and the network that sees."""

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


@dataclass(frozen=True)
class EnhanceSpec:
    """An enhancer, as plain data that TOML and a checkpoint can hold."""

    network: str = "mask"  # "mask": on a spectrogram; "dualpath": in the time domain
    mask: NetSpec = field(default_factory=NetSpec)  # of "mask": front-end, RNN layers, head
    dualpath: DualPathSpec = field(default_factory=DualPathSpec)  # of "dualpath"

    @property
    def rate_hz(self) -> int:
        """The sample rate inside."""
        if self.network == "mask":
            return self.mask.front.rate_hz
        return self.dualpath.rate_hz

    @property
    def sees(self) -> bool:
        """True where video is used."""
        return self.network == "dualpath" and self.dualpath.convs > 0

    def with_video(self, mode: str) -> EnhanceSpec:
        """The same, with videos shown in another of the VIDEO_MODES; ValueError for no such mode.

        Example:
            >>> read_enhancer("avse_lstm8").with_video("zeroed").dualpath.video
            'zeroed'
        """
        _check_video(mode, "video")
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


def _dual(convs: int, causal: bool = False) -> EnhanceSpec:
    return EnhanceSpec("dualpath", dualpath=DualPathSpec(convs=convs, causal=causal))


ENHANCERS: dict[str, EnhanceSpec] = {
    "mask": EnhanceSpec(mask=_MASK),
    "mask_causal": EnhanceSpec(mask=replace(_MASK, hidden=256, bidirectional=False)),
    "mask_tiny": EnhanceSpec(mask=_TINY),
    "avse_lstm12": _dual(2),
    "avse_lstm8": _dual(1),
    "avse_lstm8_causal": _dual(1, causal=True),
    "dualpath": _dual(0),
    "dualpath_causal": _dual(0, causal=True),
}


def read_enhancer(name: str) -> EnhanceSpec:
    """A preset by its name, with changes behind it, or a spec from a TOML file (`.toml`).

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
    if spec.network not in ("mask", "dualpath"):
        raise ValueError(f"{where}.network: expected 'mask' or 'dualpath'; got {spec.network!r}")
    _check_video(spec.dualpath.video, f"{where}.dualpath.video")
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
    path = spec.dualpath
    causal = "causal " if path.causal else ""
    video = ""
    if path.convs:
        video = f", video by {4 * path.convs} 3x3 conv"
    return f"{causal}dual-path LSTM {path.hidden} on {path.filters} learnt filters{video}"
