"""Specs as plain data: presets by name, TOML tables, and back, checked all the way down."""

from __future__ import annotations

import dataclasses
import difflib
import math
import tomllib
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, cast, get_args, get_origin, get_type_hints

from ctcasr.front import FrontSpec

T = TypeVar("T")


@dataclass(frozen=True)
class ConvSpec:
    """One conv layer; kernel and stride are (time, frequency)."""

    channels: int
    kernel: tuple[int, int]
    stride: tuple[int, int]


@dataclass(frozen=True)
class NetSpec:
    """A whole acoustic model with its front-end, as plain data that TOML and a checkpoint can hold."""

    front: FrontSpec = field(default_factory=FrontSpec)
    conv: tuple[ConvSpec, ...] = ()
    rnn: str = "gru"  # "gru", "lstm", "rnn"
    layers: int = 3
    hidden: int = 128
    bidirectional: bool = True
    lookahead: int = (
        0  # frames of the future that a look-ahead convolution after the RNN layers sees
    )
    rnn_norm: str = (
        "every"  # BatchNorm on the input of "every" layer, of the first ("input") or of "none"
    )
    fc: tuple[int, ...] = ()  # hidden fully connected layers before the output layer
    fc_norm: bool = True  # BatchNorm before each fully connected layer
    clip: float | None = None  # upper end of a clipped ReLU
    dropout: float = 0.0
    blank_start: float | None = (
        None  # probability that the untrained network gives to the blank; None: as it comes
    )
    prior_weight: float = 0.0  # of running label priors, in the loss and in decoding


def describe(spec: NetSpec) -> str:
    """The spec in one line, for people: "mel 80, 2 conv (stride 4), 3 x BiLSTM 128, FC"."""
    size = spec.front.bands if spec.front.kind == "mel" else spec.front.n_fft // 2 + 1
    stride = math.prod(conv.stride[0] for conv in spec.conv)
    conv = [f"{len(spec.conv)} conv (stride {stride})"] if spec.conv else []
    rnn = f"{spec.layers} x {'Bi' if spec.bidirectional else ''}{spec.rnn.upper()} {spec.hidden}"
    ahead = [f"look-ahead {spec.lookahead}"] if spec.lookahead else []
    return ", ".join(
        [f"{spec.front.kind} {size}", *conv, rnn, *ahead, "-".join(["FC", *map(str, spec.fc)])]
    )


def resolve_spec(
    name: str, presets: Mapping[str, T], make: Callable[[Mapping[str, Any], str], T]
) -> T:
    """A preset by its name, changed by the words "field=value" behind it, or what `make(data, where)` makes of a TOML file.

    Raises ValueError that names the nearest preset or field.
    """
    if name.endswith(".toml"):
        return make(tomllib.loads(Path(name).read_text(encoding="utf-8")), name)
    preset, *changes = name.split() or [name]
    if preset not in presets:
        near = difflib.get_close_matches(preset, presets, 1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ValueError(
            f"expected a preset ({', '.join(presets)}) or a .toml file; got {preset!r}{hint}"
        )
    if not changes:
        return presets[preset]
    data: dict[str, Any] = to_plain(dataclasses.asdict(cast(Any, presets[preset])))
    for change in changes:
        path, equals, value = change.partition("=")
        *tables, key = path.split(".")
        table = data
        for part in tables:
            table = table.get(part) if isinstance(table, dict) else None  # type: ignore[assignment]
        if not equals or not isinstance(table, dict):
            raise ValueError(
                f"{name!r}: expected a change as field=value, such as hidden=256 or front.norm=pca; got {change!r}"
            )
        table[key] = _literal(value)
    return make(data, repr(name))


def _literal(text: str) -> Any:
    """A TOML value; a bare word is a string."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def to_plain(value: Any) -> Any:
    """`value` as lists and tables, without what is None."""
    if isinstance(value, dict):
        return {key: to_plain(item) for key, item in value.items() if item is not None}
    return [to_plain(item) for item in value] if isinstance(value, tuple | list) else value


def from_plain(kind: Any, value: Any, where: str) -> Any:
    """`value` as `kind`: a spec dataclass, a tuple of them, or a plain type; checked all the way down."""
    if dataclasses.is_dataclass(kind):
        if not isinstance(value, Mapping):
            raise ValueError(f"{where}: expected a table; got {value!r}")
        hints = get_type_hints(kind)
        for key in value:
            if key not in hints:
                near = difflib.get_close_matches(key, hints, 1)
                hint = f"did you mean {near[0]!r}?" if near else f"expected one of {list(hints)}"
                raise ValueError(f"{where}: unknown key {key!r}; {hint}")
        needed = [
            f.name
            for f in dataclasses.fields(kind)
            if f.default is f.default_factory is dataclasses.MISSING
        ]
        if missing := [name for name in needed if name not in value]:
            raise ValueError(f"{where}: expected {', '.join(missing)} too; got only {list(value)}")
        return kind(
            **{key: from_plain(hints[key], item, f"{where}.{key}") for key, item in value.items()}
        )  # type: ignore[operator]
    if get_origin(kind) is tuple:
        if not isinstance(value, list | tuple):
            raise ValueError(f"{where}: expected a list; got {value!r}")
        of = get_args(kind)
        kinds = [of[0]] * len(value) if of[-1] is Ellipsis else list(of)
        if len(kinds) != len(value):
            raise ValueError(f"{where}: expected {len(kinds)} values; got {value!r}")
        return tuple(
            from_plain(k, item, f"{where}[{i}]")
            for i, (k, item) in enumerate(zip(kinds, value, strict=True))
        )
    allowed = get_args(kind) if isinstance(kind, types.UnionType) else (kind,)
    if float in allowed and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, allowed) or (isinstance(value, bool) and bool not in allowed):
        raise ValueError(f"{where}: expected {getattr(kind, '__name__', kind)}; got {value!r}")
    return value
