"""Files whose lines have named fields: JSON lines, URGENT's rows, tables."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ctcasr.compare.results import lines_of
from ctcasr.data.table import Table


@dataclass(frozen=True)
class Row:
    """One line of a file with named fields, and where it stands."""

    place: str
    values: Mapping[str, Any]


def read_jsonl(path: Path) -> Iterator[Row]:
    """Objects, one a line; versa also writes them as Python does."""
    for place, line in lines_of(path):
        yield Row(place, _object(line, place))


def read_urgent(path: Path) -> Iterator[Row]:
    """`uid {json}`, a line for each, as URGENT's scripts write WER.scp."""
    for place, line in lines_of(path):
        uid, _, rest = line.partition(" ")
        yield Row(place, {**_object(rest.strip(), place), "id": uid})


def read_csv(path: Path) -> Iterator[Row]:
    """A table with the names of its columns in the first line; by commas, semicolons or tabs.

    Raises:
        ValueError: for a line that is none of the table, or two columns of one name.
    """
    table = Table(path, among=",;\t")
    for where, values in table:
        place = str(path.parent / where)
        if None in values.values():
            raise ValueError(f"{place}: expected {len(table.columns)} columns; the row ends before")
        yield Row(place, values)


def _object(line: str, place: str) -> dict[str, Any]:
    """A JSON object, or a dict as Python prints it."""
    try:
        found = json.loads(line)
    except ValueError:
        try:
            found = ast.literal_eval(line.strip())
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            found = None
    except RecursionError:
        found = None
    if not isinstance(found, dict):
        raise ValueError(f"{place}: expected a JSON object; got {line[:40]!r}")
    return found
