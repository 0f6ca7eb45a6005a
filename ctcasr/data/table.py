"""Tables: names of columns in the first line, then a row a line."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Literal


class Table:
    """A table in UTF-8; of each row its place ("table.csv:7") and its cells by column.

    Cells are told apart by tabs in .tsv and by commas elsewhere, unless a delimiter is given, or
    several: then by the one `among` them that the first line has most often. Spaces behind a comma
    are none of the cell. With tabs, quotes are characters of the text, as in Common Voice. A row
    may have fewer cells than there are columns, which are None then, but no more: a comma within a
    text wants quotes.

    Raises:
        ValueError: where it is no such table, with the line.

    Example:
        >>> import tempfile
        >>> place = Path(tempfile.mkdtemp()) / "words.csv"
        >>> _ = place.write_text("path,text\\na.wav,so it goes\\n", encoding="utf-8")
        >>> table = Table(place)
        >>> table.columns, list(table)
        (('path', 'text'), [('words.csv:2', {'path': 'a.wav', 'text': 'so it goes'})])
    """

    def __init__(self, path: Path, delimiter: str | None = None, among: str = "") -> None:
        self.path = path
        written = _text_of(path)
        rows = written.lstrip("\r\n")
        if among:
            head, _, _ = rows.partition("\n")
            delimiter = max(among, key=head.count)
        elif delimiter is None:
            delimiter = "\t" if path.suffix.lower() == ".tsv" else ","
        quoting: Literal[0, 3] = csv.QUOTE_NONE if delimiter == "\t" else csv.QUOTE_MINIMAL
        self._lines_before = written[: len(written) - len(rows)].count("\n")
        lines = io.StringIO(rows, newline="")
        self._rows = csv.DictReader(
            lines,
            delimiter=delimiter,
            quoting=quoting,
            skipinitialspace=not delimiter.isspace(),
            strict=True,  # a quote that is left open would swallow all lines up to the next one
        )
        try:
            self.columns = tuple(name.strip() for name in self._rows.fieldnames or ())
        except csv.Error as error:
            raise ValueError(f"{path}:1: expected names of columns; {error}") from error
        self._rows.fieldnames = self.columns
        twice = sorted({name for name in self.columns if self.columns.count(name) > 1})
        if twice:
            raise ValueError(f"{path}:1: expected each column once; {', '.join(twice)} twice")

    def __iter__(self) -> Iterator[tuple[str, dict[str, str | None]]]:
        begins = self._lines_before + 2
        try:
            for row in self._rows:
                ends = self._lines_before + self._rows.line_num
                self._refuse_more_cells(row, ends)
                yield f"{self.path.name}:{ends}", row
                begins = ends + 1
        except csv.Error as error:
            raise ValueError(
                f"{self.path}:{begins}: expected a row of the table; {error}: is a quote left open?"
            ) from error

    def _refuse_more_cells(self, row: dict[str, str | None], line: int) -> None:
        """ValueError for a row with cells beyond the last column."""
        beyond = row.get(None)  # type: ignore[call-overload]  # csv's key of what has no column
        if beyond is not None:
            count = len(self.columns)
            raise ValueError(
                f"{self.path}:{line}: expected {count} columns; got {count + len(beyond)}. A "
                "text with a delimiter in it wants quotes"
            )


def _text_of(path: Path) -> str:
    """What stands in a file; ValueError where there is none, or it is no UTF-8."""
    if not path.is_file():
        came = "a folder" if path.is_dir() else "nothing"
        raise ValueError(f"{path}: expected a table; there is {came}")
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: expected UTF-8; {error}") from error
