"""What an enhancer is made of, as plain data: presets, TOML, checkpoints."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ctcasr.front import FrontSpec
from ctcasr.specs import NetSpec, describe, from_plain, resolve_spec, to_plain


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


@dataclass(frozen=True)
class EnhanceSpec:
    """An enhancer, as plain data that TOML and a checkpoint can hold."""

    network: str = "mask"  # "mask": on a spectrogram; "dualpath": in the time domain
    mask: NetSpec = field(
        default_factory=NetSpec
    )  # of "mask": front-end, BatchNorm-RNN layers, head
    dualpath: DualPathSpec = field(default_factory=DualPathSpec)  # of "dualpath"

    @property
    def rate_hz(self) -> int:
        return self.mask.front.rate_hz if self.network == "mask" else self.dualpath.rate_hz

    @property
    def sees(self) -> bool:
        """True where video is used."""
        return self.network == "dualpath" and self.dualpath.convs > 0


_WIDE = FrontSpec(kind="spectrogram", n_fft=512, window_s=0.032, hop_s=0.016, norm="none")


def _dual(convs: int, causal: bool = False) -> EnhanceSpec:
    return EnhanceSpec("dualpath", dualpath=DualPathSpec(convs=convs, causal=causal))


ENHANCERS: dict[str, EnhanceSpec] = {
    "mask": EnhanceSpec(
        mask=NetSpec(_WIDE, rnn="lstm", layers=2, hidden=160, fc=(256,), dropout=0.1)
    ),
    "mask_causal": EnhanceSpec(
        mask=NetSpec(
            _WIDE, rnn="lstm", layers=2, hidden=256, bidirectional=False, fc=(256,), dropout=0.1
        )
    ),
    # At most 50,000 parameters: 40 mel bands in, 40 gains out, one direction.
    "mask_tiny": EnhanceSpec(
        mask=NetSpec(
            replace(_WIDE, kind="mel", bands=40, low_hz=0.0),
            rnn="gru",
            layers=2,
            hidden=64,
            bidirectional=False,
        )
    ),
    "avse_lstm12": _dual(2),
    "avse_lstm8": _dual(1),
    "avse_lstm8_causal": _dual(1, causal=True),
    "dualpath": _dual(0),
    "dualpath_causal": _dual(0, causal=True),
}


def read_enhancer(name: str) -> EnhanceSpec:
    """A preset by its name, or a spec from a TOML file (`.toml`)."""
    return resolve_spec(name, ENHANCERS, enhancer_from)


def enhancer_to(spec: EnhanceSpec) -> dict[str, Any]:
    """The spec as plain data, of the network that it names only."""
    data: dict[str, Any] = to_plain(dataclasses.asdict(spec))
    return {key: value for key, value in data.items() if key in ("network", spec.network)}


def enhancer_from(data: Mapping[str, Any], where: str = "spec") -> EnhanceSpec:
    """A spec from plain data; an unknown key raises ValueError that names the nearest field."""
    spec: EnhanceSpec = from_plain(EnhanceSpec, data, where)
    if spec.network not in ("mask", "dualpath"):
        raise ValueError(f"{where}.network: expected 'mask' or 'dualpath'; got {spec.network!r}")
    return spec


def describe_enhancer(spec: EnhanceSpec) -> str:
    """The spec in one line, for people: "mask on spectrogram 257, 2 x BiLSTM 160, FC-256"."""
    if spec.network == "mask":
        return f"mask on {describe(spec.mask)}"
    path = spec.dualpath
    seen = f", video by {4 * path.convs} 3x3 conv" if path.convs else ""
    return f"{'causal ' if path.causal else ''}dual-path LSTM {path.hidden} on {path.filters} learnt filters{seen}"
