"""What a network is made of, as plain data: presets, TOML, checkpoints."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from ctcasr.front import FrontSpec
from ctcasr.specs import LIPS, ConvSpec, NetSpec, from_plain, resolve_spec, to_plain
from ctcasr.video.frames import RATE_HZ as VIDEO_HZ

_THREE_CONVS = (
    ConvSpec(32, (5, 5), (2, 2)),
    ConvSpec(32, (5, 5), (2, 2)),
    ConvSpec(32, (5, 5), (1, 2)),
)


def _report_presets() -> dict[str, NetSpec]:
    """The networks of the report, by name: two transforms, two cells, one direction or two."""
    presets = {}
    for size, n_fft in (("", 512), ("_1024", 1024)):
        for rnn in ("gru", "lstm"):
            for direction in ("", "bi"):
                for conv in ("", "_conv"):
                    name = f"report_v{size}_{direction}{rnn}{conv}"
                    presets[name] = _report(n_fft, rnn, direction == "bi", bool(conv))
    return presets


def _report(n_fft: int, rnn: str, bidirectional: bool, conv: bool) -> NetSpec:
    layers: tuple[ConvSpec, ...] = ()
    if conv:
        layers = (ConvSpec(32, (11, 21), (2, 2)),)
    return NetSpec(
        FrontSpec(kind="spectrogram", n_fft=n_fft, norm="utterance"),
        layers,
        rnn,
        layers=1,
        hidden=128,
        bidirectional=bidirectional,
        rnn_norm="input",
        fc=(128, 128),
        fc_norm=False,
    )


# Levels relative to the utterance, so that a quiet recording is heard as a loud one.
_DEFAULT = NetSpec(
    FrontSpec(floor_db=65.0),
    conv=_THREE_CONVS,
    rnn="lstm",
    layers=3,
    hidden=128,
    dropout=0.2,
)

PRESETS: dict[str, NetSpec] = {
    "default": _DEFAULT,
    # Half normalised by the utterance, all bands together, and half whitened by the corpus, whose
    # statistics are measured before training.
    "lifted": dataclasses.replace(
        _DEFAULT, front=dataclasses.replace(_DEFAULT.front, norm="lifted-mean")
    ),
    # Statistics of the corpus and one direction: nothing waits for the end of the utterance.
    "streaming": NetSpec(
        FrontSpec(norm="corpus"),
        conv=_THREE_CONVS,
        rnn="lstm",
        layers=3,
        hidden=256,
        bidirectional=False,
        lookahead=8,
        dropout=0.2,
    ),
    # Reads lips instead of sound: a frame of logits for each frame of video.
    "lips": NetSpec(
        FrontSpec(rate_hz=VIDEO_HZ, kind=LIPS),
        rnn="gru",
        layers=2,
        hidden=128,
        dropout=0.3,
    ),
    **_report_presets(),
}


def read_spec(name: str) -> NetSpec:
    """A preset by its name, or a TOML file's spec (`.toml`), with changes behind it.

    Raises ValueError that names the nearest preset or field.

    Example:
        >>> read_spec("default rnn=gru front.norm=pca fc=[128]").fc
        (128,)
    """
    return resolve_spec(name, PRESETS, spec_from)


def spec_to(spec: NetSpec) -> dict[str, Any]:
    """The spec as plain data, without what is None; of lips and states where there are any."""
    data: dict[str, Any] = to_plain(dataclasses.asdict(spec))
    if not spec.sees:
        del data["lips"]
    if not spec.states:
        del data["states"]
    return data


def spec_from(data: Mapping[str, Any], where: str = "spec") -> NetSpec:
    """A spec from plain data; an unknown key raises ValueError that names the nearest field."""
    return from_plain(NetSpec, data, where)
