"""Settings of a recipe: one frozen dataclass; defaults, then `--from settings.toml`, then flags."""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import re
import sys
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NoReturn, TypeVar, get_args, get_origin, get_type_hints

from ctcasr.data import read_manifest
from ctcasr.kernels.atomic import write_text
from ctcasr.text.spelling import did_you_mean
from ctcasr.train.config import RARE, SCORED_LAST, USUAL, TrainConfig

S = TypeVar("S")

# What runs did whose settings do not name these yet: they are younger than the run.
FORMER = {"splice": 0.0, "states": 0.0, "hiss": "none", "others": ""}


def parse(kind: type[S], argv: Sequence[str] | None = None, prog: str | None = None) -> S:
    """Settings of dataclass `kind` from the command line.

    Prints what is wrong and exits, as argparse does.

    Example:
        >>> from ctcasr.train.config import TrainConfig
        >>> parse(TrainConfig, ["--epochs", "3", "--schedule", "cosine"]).epochs
        3
    """
    parser = settings_parser(kind, prog)
    given = vars(parser.parse_args(argv))
    source = given.pop("from_")
    values: dict[str, Any] = {}
    if source:
        try:
            table = read_settings(source)
            values = _former(kind, table) | check(kind, table, source)
        except (OSError, ValueError) as error:
            parser.error(str(error))
    for name, value in given.items():
        if value is not None:
            values[name] = value
    told_off = _refused_together(given)
    if told_off:
        parser.error(told_off)
    if given.get("epochs") is not None:
        values.pop("budget", None)  # of the file: it would choose the epochs
    required = [entry.name for entry in _fields(kind) if entry.default is dataclasses.MISSING]
    missing = [flag_of(name) for name in required if name not in values]
    if missing:
        parser.error("expected " + ", ".join(missing))
    settings = kind(**values)
    if isinstance(settings, TrainConfig):
        try:
            settings.refuse_impossible()  # before a corpus is read
            _refuse_unread(settings)
        except ValueError as error:
            parser.error(str(error))
    return settings


def _refuse_unread(settings: TrainConfig) -> None:
    """ValueError for manifests that could not be read either when all is trained."""
    for name in SCORED_LAST:
        value = str(getattr(settings, name, ""))
        paths = [value] if Path(value).is_file() else value.split(",")
        for path in filter(None, paths):
            try:
                read_manifest(path)
            except (OSError, ValueError) as error:
                raise ValueError(f"{flag_of(name)}: {error}") from error


def _refused_together(given: Mapping[str, Any]) -> str:
    """What is wrong with flags that exclude each other; nothing where none do."""
    if given.get("epochs") is not None and given.get("budget"):
        return "expected --epochs or --budget, which chooses the epochs; got both"
    if given.get("resume") and given.get("overwrite"):
        return "expected --resume, which goes on, or --overwrite; got both"
    if given.get("resume") and given.get("init"):
        return "expected --resume, which goes on with its own network, or --init; got both"
    if given.get("augment") is False and (given.get("masks") or given.get("warp")):
        return "expected --masks and --warp, which are of SpecAugment, or --no-augment; got both"
    return ""


def read_settings(source: Path | str) -> dict[str, Any]:
    """What a TOML file holds, after a byte order mark too.

    Raises:
        ValueError: naming the file, where it is no TOML.
    """
    try:
        return tomllib.loads(Path(source).read_text(encoding="utf-8-sig"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ValueError(f"{source}: expected settings as TOML; {error}") from error


def _former(kind: Any, table: Mapping[str, Any]) -> dict[str, Any]:
    """What a run did whose settings name every field but for younger ones.

    A table that leaves out others was written by hand: it means today's defaults.
    """
    left_out = {entry.name for entry in _fields(kind)} - table.keys()
    if not left_out <= FORMER.keys():
        return {}
    return {name: FORMER[name] for name in left_out}


def settings_parser(kind: type[Any], prog: str | None = None) -> argparse.ArgumentParser:
    """The flags of dataclass `kind`: the usual ones first, then its own, then the others by theme.

    At the end stands an example: the command in the docstring of its module (`python ...`).

    Example:
        >>> from ctcasr.train.config import TrainConfig
        >>> text = settings_parser(TrainConfig).format_help()
        >>> text.index("--epochs") < text.index("--weight-decay")
        True
    """
    parser = FlagParser(
        prog=_called(kind, prog),
        usage=" ".join(["%(prog)s", *_required_flags(kind), "[FLAGS]"]),
        description=(kind.__doc__ or "").partition("\n")[0],
        epilog=_example_of(kind),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    hints = get_type_hints(kind)
    by_name = {entry.name: entry for entry in _fields(kind)}
    elsewhere = {*USUAL, *(name for names in RARE.values() for name in names)}
    own = tuple(name for name in by_name if name not in elsewhere)
    for heading, names in {"usual": USUAL, "of this recipe": own, **RARE}.items():
        group = parser.add_argument_group(heading)
        for name in names:
            if name in by_name:
                _add_flag(group, by_name[name], hints[name])
        if names is USUAL:
            group.add_argument(
                "--from",
                dest="from_",
                metavar="SETTINGS.TOML",
                help="read settings from this file first",
            )
    return parser


class FlagParser(argparse.ArgumentParser):
    """Names the flag that comes nearest to one that there is not."""

    def error(self, message: str) -> NoReturn:
        unknown = re.fullmatch(r"unrecognized arguments: (--[\w-]+).*", message, re.DOTALL)
        if unknown:
            flags = [flag for action in self._actions for flag in action.option_strings]
            message += did_you_mean(unknown[1], flags)
        super().error(message)


def _required_flags(kind: type[Any]) -> list[str]:
    """Flags without a default, as usage shows them."""
    required = [entry.name for entry in _fields(kind) if entry.default is dataclasses.MISSING]
    return [f"{flag_of(name)} {name.upper()}" for name in required]


def _example_of(kind: type[Any]) -> str | None:
    """The first command in the docstring of the module that defines the settings."""
    module = sys.modules[kind.__module__]
    command: list[str] = []
    for line in (module.__doc__ or "").splitlines():
        if command or line.startswith(("python ", "torchrun ")):
            command.append(line)
            if not line.endswith("\\"):
                break
    if not command:
        return None
    text = "\n".join(f"  {line}" for line in command)
    return "example:\n" + _as_installed(text, Path(module.__file__ or ""))


def _called(kind: type[Any], name: str | None) -> str | None:
    """What is typed for a recipe of a name: `ctcasr train NAME`, where it lies in the package."""
    path = Path(sys.modules[kind.__module__].__file__ or "")
    return f"ctcasr train {name}" if name and path.parent.parent.name == "ctcasr" else name


def _as_installed(command: str, recipe: Path) -> str:
    """A command as it is typed where the recipe lies: in a checkout, or inside the package."""
    if recipe.parent.parent.name != "ctcasr":
        return command
    name = recipe.stem
    command = command.replace(f"python recipes/{name}.py", f"ctcasr train {name}")
    return command.replace(f"recipes/{name}.py", f"-m ctcasr.recipes.{name}")


def flag_of(name: str) -> str:
    """The flag of a setting.

    Example:
        >>> flag_of("batch_size")
        '--batch-size'
    """
    return "--" + name.replace("_", "-")


def read_numbers(name: str, text: str) -> list[float]:
    """The numbers of a setting that lists them with commas between, all above zero.

    Raises:
        ValueError: that names the flag, for what is no such list.

    Example:
        >>> read_numbers("speeds", "0.9,1")
        [0.9, 1.0]
    """
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if not numbers or not all(0 < number < math.inf for number in numbers):
        raise ValueError(
            f"{flag_of(name)}: expected numbers above 0 with commas between, as 0.9,1,1.1; "
            f"got {text!r}"
        )
    return numbers


def read_range(name: str, text: str) -> tuple[int, int]:
    """The fewest and the most of a setting, whole numbers above zero with a comma between.

    Raises:
        ValueError: that names the flag, for what is no such pair.

    Example:
        >>> read_range("words", "2,20")
        (2, 20)
    """
    bounds = [int(part) for part in text.split(",") if part.strip().isdecimal()]
    if len(bounds) != len(text.split(",")) or len(bounds) != 2 or not 0 < bounds[0] <= bounds[1]:
        raise ValueError(
            f"{flag_of(name)}: expected fewest and most with a comma between, as 2,20; got {text!r}"
        )
    return bounds[0], bounds[1]


def _fields(kind: Any) -> tuple[dataclasses.Field[Any], ...]:
    return dataclasses.fields(kind)


def _add_flag(parser: argparse._ActionsContainer, entry: dataclasses.Field[Any], kind: Any) -> None:
    """The flag of one field; without it, the value stays that of the file or the default."""
    text = entry.metadata.get("help", "")
    if entry.default is not dataclasses.MISSING and entry.default != "":
        text += f" [{entry.default}]"
    options: dict[str, Any] = {"dest": entry.name, "default": None, "help": text}
    if kind is bool:
        options["action"] = argparse.BooleanOptionalAction
    elif get_origin(kind) is Literal:
        options["choices"] = get_args(kind)
    else:
        options["type"] = kind
        options["metavar"] = entry.name.upper()
    parser.add_argument(flag_of(entry.name), **options)


def check(kind: type[Any], values: Mapping[str, Any], where: str) -> dict[str, Any]:
    """`values` if each names a field of `kind` and has its type.

    Raises:
        ValueError: with the nearest field, or the type that was expected.
    """
    hints = get_type_hints(kind)
    names = {entry.name for entry in _fields(kind)}
    checked = {}
    for name, value in values.items():
        if name not in names:
            hint = did_you_mean(name, names)
            raise ValueError(f"{where}: unknown setting {name!r}{hint}")
        checked[name] = _typed(hints[name], value, f"{where}: {name}")
    return checked


def _typed(kind: type[Any], value: Any, where: str) -> Any:
    """`value` if it is of this type; a whole number is a float too, but True is no number."""
    if get_origin(kind) is Literal:
        if value not in get_args(kind):
            raise ValueError(f"{where}: expected one of {', '.join(get_args(kind))}; got {value!r}")
        return value
    is_bool = isinstance(value, bool)
    if kind is float and isinstance(value, int) and not is_bool:
        return float(value)
    if not isinstance(value, kind) or (is_bool and kind is not bool):
        raise ValueError(f"{where}: expected {kind.__name__}; got {value!r}")
    return value


def to_toml(settings: Any) -> str:
    """The settings as TOML that `--from` reads.

    Example:
        >>> from ctcasr.train.config import TrainConfig
        >>> print(to_toml(TrainConfig(epochs=3)).splitlines()[0])
        epochs = 3
    """
    lines = []
    for entry in dataclasses.fields(settings):
        # TOML's basic strings, booleans and finite numbers are written as JSON writes them,
        # but for one character.
        value = json.dumps(getattr(settings, entry.name), ensure_ascii=False)
        lines.append(f"{entry.name} = {value}".replace("\x7f", "\\u007f"))
    return "\n".join(lines) + "\n"


def write_settings(settings: Any, out: Path) -> None:
    """settings.toml in the folder of a run, which is made where it is missing; OSError."""
    write_text(out / "settings.toml", to_toml(settings))
