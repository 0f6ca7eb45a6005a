"""Specs as plain data: presets by name, TOML tables, and back, checked all the way down."""

from __future__ import annotations

import dataclasses
import math
import tomllib
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, cast, get_args, get_origin, get_type_hints

from ctcasr.front import FrontSpec
from ctcasr.text.spelling import did_you_mean
from ctcasr.video import LipSpec

LIPS = "lips"  # the kind of front-end that reads lips instead of sound

_LEAST = {"layers": 0, "hidden": 1, "lookahead": 0, "prior_weight": 0, "states": 0}  # of a NetSpec

T = TypeVar("T")


@dataclass(frozen=True)
class ConvSpec:
    """One conv layer; kernel and stride are (time, frequency).

    Raises:
        ValueError: for a size below 1.
    """

    channels: int
    kernel: tuple[int, int]
    stride: tuple[int, int]

    def __post_init__(self) -> None:
        if min(self.channels, *self.kernel, *self.stride) < 1:
            raise ValueError(f"expected channels, kernel and stride of at least 1; got {self}")


@dataclass(frozen=True)
class NetSpec:
    """A whole acoustic model with its front-end, as plain data for TOML and checkpoints.

    Raises:
        ValueError: for sizes and shares that no network has.

    Example:
        >>> describe(NetSpec(rnn="lstm", layers=2))
        'mel 80, 2 x BiLSTM 128, FC'
    """

    front: FrontSpec = field(default_factory=FrontSpec)
    conv: tuple[ConvSpec, ...] = ()
    rnn: str = "gru"  # "gru", "lstm", "rnn"
    layers: int = 3
    hidden: int = 128
    bidirectional: bool = True
    # Frames of the future that a look-ahead convolution after the RNN layers sees.
    lookahead: int = 0
    # BatchNorm on the input of "every" layer, of the first ("input") or of "none".
    rnn_norm: str = "every"
    fc: tuple[int, ...] = ()  # hidden fully connected layers before the output layer
    fc_norm: bool = True  # BatchNorm before each fully connected layer
    clip: float | None = None  # upper end of a clipped ReLU
    dropout: float = 0.0
    # Probability that the untrained network gives to the blank; None: as it comes.
    blank_start: float | None = None
    prior_weight: float = 0.0  # of running label priors, in the loss and in decoding
    lips: LipSpec = field(default_factory=LipSpec)  # of a front-end of the kind "lips"
    states: int = 0  # of an aligner, which are learnt beside the symbols; nothing else uses them

    def __post_init__(self) -> None:
        for name, least in _LEAST.items():
            value = getattr(self, name)
            if not value >= least:
                raise ValueError(f"{name}: expected {least} or more; got {value}")
        if min(self.fc, default=1) < 1:
            raise ValueError(f"fc: expected sizes of at least 1; got {list(self.fc)}")
        if not (self.clip is None or self.clip > 0):
            raise ValueError(f"clip: expected a number above 0; got {self.clip}")
        if not 0 <= self.dropout <= 1:
            raise ValueError(f"dropout: expected a share within 0..1; got {self.dropout}")

    @property
    def sees(self) -> bool:
        """True where lips are read, not sound."""
        return self.front.kind == LIPS


def describe(spec: NetSpec) -> str:
    """The spec in one line, for people: "mel 80, 2 conv (stride 4), 3 x BiLSTM 128, FC"."""
    parts = [_describe_front(spec)]
    if spec.conv:
        strides = [conv.stride[0] for conv in spec.conv]
        stride = math.prod(strides)
        parts.append(f"{len(spec.conv)} conv (stride {stride})")
    prefix = ""
    if spec.bidirectional:
        prefix = "Bi"
    cell = f"{prefix}{spec.rnn.upper()}"
    parts.append(f"{spec.layers} x {cell} {spec.hidden}")
    if spec.lookahead:
        parts.append(f"look-ahead {spec.lookahead}")
    sizes = [str(size) for size in spec.fc]
    parts.append("-".join(["FC", *sizes]))
    return ", ".join(parts)


def _describe_front(spec: NetSpec) -> str:
    """The front-end in a few words."""
    if spec.sees:
        lips = spec.lips
        convs = 4 * lips.convs or len(lips.channels)
        return f"lips {lips.height} x {lips.width}, {convs} conv to {lips.features}"
    bins = spec.front.bands if spec.front.kind == "mel" else spec.front.n_fft // 2 + 1
    how = ""
    if spec.front.norm.endswith(("pca", "zca")):
        how = "whitened "
    elif spec.front.norm.startswith("lifted"):
        how = "lifted "
    return f"{how}{spec.front.kind} {bins}"


def resolve_spec(
    name: str, presets: Mapping[str, T], make: Callable[[Mapping[str, Any], str], T]
) -> T:
    """A preset by its name or a TOML file's spec, changed by the words "field=value" behind it.

    `make(data, where)` turns plain data into a spec; `where` is for its messages.

    Raises:
        ValueError: that names the nearest preset or field.
        OSError: where there is no such file.

    Example:
        >>> presets = {"small": NetSpec(hidden=64)}
        >>> def make(data, where):
        ...     return from_plain(NetSpec, data, where)
        >>> resolve_spec("small layers=2 front.norm=pca", presets, make).front.norm
        'pca'
    """
    path, is_file, words = f"{name} ".partition(".toml ")
    if is_file:
        path = f"{path}.toml"
        changes = words.split()
        chosen = make(_read_toml(path), path)
    else:
        preset, *changes = name.split() or [name]
        if preset not in presets:
            known = ", ".join(presets)
            hint = did_you_mean(preset, presets)
            raise ValueError(f"expected a preset ({known}) or a .toml file; got {preset!r}{hint}")
        chosen = presets[preset]
    if not changes:
        return chosen
    data = to_plain(dataclasses.asdict(cast(Any, chosen)))
    for change in changes:
        _apply_change(data, change, name)
    return make(data, repr(name))


def _read_toml(path: str) -> dict[str, Any]:
    """The tables of a file; ValueError where it holds none."""
    try:
        return tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except ValueError as error:  # its syntax, or no text
        raise ValueError(f"{path}: expected TOML; {error}") from None


def _apply_change(data: dict[str, Any], change: str, name: str) -> None:
    """Write one "field=value" or "table.field=value" into plain data."""
    path, equals, value = change.partition("=")
    *tables, key = path.split(".")
    table: object = data
    for part in tables:
        if not isinstance(table, dict):
            break
        table = table.get(part)
    if not equals or not isinstance(table, dict):
        raise ValueError(
            f"{name!r}: expected a change as field=value, such as hidden=256 or front.norm=pca; "
            f"got {change!r}"
        )
    table[key] = _literal(value)


def _literal(text: str) -> object:
    """A TOML value; a bare word is a string."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def to_plain(value: Any) -> Any:
    """`value` as lists and tables, without what is None.

    Example:
        >>> to_plain({"clip": None, "fc": (128, 64)})
        {'fc': [128, 64]}
    """
    if isinstance(value, dict):
        return {key: to_plain(item) for key, item in value.items() if item is not None}
    if isinstance(value, tuple | list):
        return [to_plain(item) for item in value]
    return value


def from_plain(kind: Any, value: Any, where: str) -> Any:
    """`value` as `kind`: a spec dataclass, a tuple of them, or a plain type; checked throughout.

    Raises:
        ValueError: that says where (`where.field[3]`) the value is not what the type asks for.

    Example:
        >>> from_plain(ConvSpec, {"channels": 8, "kernel": [5, 5], "stride": [2, 2]}, "conv")
        ConvSpec(channels=8, kernel=(5, 5), stride=(2, 2))
    """
    if dataclasses.is_dataclass(kind):
        return _table_as(cast("type[Any]", kind), value, where)
    if get_origin(kind) is tuple:
        return _list_as(get_args(kind), value, where)
    allowed: tuple[Any, ...] = (kind,)
    if isinstance(kind, types.UnionType):
        allowed = get_args(kind)
    is_bool = isinstance(value, bool)
    if float in allowed and isinstance(value, int | float) and not is_bool:
        if not math.isfinite(value):
            raise ValueError(f"{where}: expected a finite number; got {value}")
        return float(value)
    unfit_bool = is_bool and bool not in allowed
    if unfit_bool or not isinstance(value, allowed):
        # From Python 3.14 on the name of a union is "Union".
        name = kind if isinstance(kind, types.UnionType) else kind.__name__
        raise ValueError(f"{where}: expected {name}; got {value!r}")
    return value


def _table_as(kind: type[Any], value: object, where: str) -> Any:
    """A table as a dataclass."""
    if not isinstance(value, Mapping):
        raise ValueError(f"{where}: expected a table; got {value!r}")
    hints = get_type_hints(kind)
    for key in value:
        if key not in hints:
            hint = did_you_mean(key, hints) or f"; expected one of {list(hints)}"
            raise ValueError(f"{where}: unknown key {key!r}{hint}")
    missing = [name for name in _required(kind) if name not in value]
    if missing:
        names = ", ".join(missing)
        raise ValueError(f"{where}: expected {names} too; got only {list(value)}")
    arguments = {}
    for key, item in value.items():
        place = f"{where}.{key}"
        arguments[key] = from_plain(hints[key], item, place)
    try:
        return kind(**arguments)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None


def _required(kind: type[Any]) -> list[str]:
    """Fields of a dataclass without a default."""
    names = []
    for entry in dataclasses.fields(kind):
        if entry.default is entry.default_factory is dataclasses.MISSING:
            names.append(entry.name)
    return names


def _list_as(kinds: tuple[Any, ...], value: object, where: str) -> tuple[Any, ...]:
    """A list as a tuple of so many kinds, or of any number where the last is `...`."""
    if not isinstance(value, list | tuple):
        raise ValueError(f"{where}: expected a list; got {value!r}")
    if kinds[-1] is Ellipsis:
        kinds = (kinds[0],) * len(value)
    if len(kinds) != len(value):
        raise ValueError(f"{where}: expected {len(kinds)} values; got {value!r}")
    items = []
    for index, kind in enumerate(kinds):
        place = f"{where}[{index}]"
        items.append(from_plain(kind, value[index], place))
    return tuple(items)
