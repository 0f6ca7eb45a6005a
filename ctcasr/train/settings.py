"""Settings of a recipe: one frozen dataclass; defaults, then `--from settings.toml`, then flags."""

from __future__ import annotations

import argparse
import dataclasses
import difflib
import json
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

S = TypeVar("S")


def parse(kind: type[S], argv: Sequence[str] | None = None, prog: str | None = None) -> S:
    """Settings of dataclass `kind` from the command line; prints what is wrong and exits as argparse does."""
    parser = argparse.ArgumentParser(
        prog=prog, description=(kind.__doc__ or "").splitlines()[0], allow_abbrev=False
    )
    parser.add_argument(
        "--from", dest="from_", metavar="SETTINGS.TOML", help="read settings from this file first"
    )
    hints = get_type_hints(kind)
    for field in dataclasses.fields(kind):  # type: ignore[arg-type]
        required = field.default is dataclasses.MISSING
        shown = "" if required or field.default == "" else f" [{field.default}]"
        flag, extra = "--" + field.name.replace("_", "-"), field.metadata.get("help", "")
        if hints[field.name] is bool:
            parser.add_argument(
                flag,
                dest=field.name,
                action=argparse.BooleanOptionalAction,
                default=None,
                help=extra + shown,
            )
        else:
            parser.add_argument(
                flag,
                dest=field.name,
                type=hints[field.name],
                default=None,
                metavar=field.name.upper(),
                help=extra + shown,
            )
    given = vars(parser.parse_args(argv))
    source = given.pop("from_")
    values = {}
    try:
        if source:
            values = check(kind, tomllib.loads(Path(source).read_text(encoding="utf-8")), source)
    except (OSError, ValueError) as error:
        parser.error(str(error))
    values.update({name: value for name, value in given.items() if value is not None})
    missing = [
        f.name
        for f in dataclasses.fields(kind)  # type: ignore[arg-type]
        if f.default is dataclasses.MISSING and f.name not in values
    ]
    if missing:
        parser.error("expected " + ", ".join("--" + name.replace("_", "-") for name in missing))
    return kind(**values)


def check(kind: type[Any], values: dict[str, Any], where: str) -> dict[str, Any]:
    """`values` if each names a field of `kind` and has its type; ValueError names the nearest field."""
    hints = get_type_hints(kind)
    names = {field.name for field in dataclasses.fields(kind)}
    result = {}
    for name, value in values.items():
        if name not in names:
            near = difflib.get_close_matches(name, names, 1)
            raise ValueError(
                f"{where}: unknown setting {name!r}"
                + (f"; did you mean {near[0]!r}?" if near else "")
            )
        wanted = hints[name]
        if wanted is float and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        if not isinstance(value, wanted) or (isinstance(value, bool) and wanted is not bool):
            raise ValueError(f"{where}: {name}: expected {wanted.__name__}; got {value!r}")
        result[name] = value
    return result


def to_toml(settings: Any) -> str:
    """The settings as TOML that `--from` reads."""
    lines = []
    for field in dataclasses.fields(settings):
        value = getattr(settings, field.name)
        # TOML's basic strings, booleans and finite numbers are written as JSON writes them, but for one character.
        lines.append(
            f"{field.name} = {json.dumps(value, ensure_ascii=False)}".replace("\x7f", "\\u007f")
        )
    return "\n".join(lines) + "\n"


def write_settings(settings: Any, out: Path) -> None:
    """settings.toml in the folder of a run, which is made where it is missing."""
    out.mkdir(parents=True, exist_ok=True)
    (out / "settings.toml").write_text(to_toml(settings), encoding="utf-8")
