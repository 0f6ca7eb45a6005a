"""A table of paths and texts to a manifest: ctcasr prepare csv table.csv --out train.jsonl

Common Voice: ctcasr prepare csv en/train.tsv --root en/clips --text-column sentence
              --speaker-column client_id --out m.jsonl
"""

from __future__ import annotations

import argparse
import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path

from ctcasr.batch import Utterance
from ctcasr.corpora import _prepare

SPEAKER = "speaker"  # column of the speakers, unless another one is named


def read(arguments: argparse.Namespace) -> Iterator[Utterance]:
    """One utterance per row; paths are relative to --root, by default the table's folder.

    Raises:
        ValueError: where columns or cells are missing, or the table is no UTF-8.
    """
    table = Path(arguments.source)
    root = table.parent if arguments.root is None else arguments.root
    rows = open_table(table, arguments.delimiter)
    header = rows.fieldnames or ()
    speaker_column = arguments.speaker_column
    if speaker_column is None and SPEAKER in header:
        speaker_column = SPEAKER
    columns = [arguments.path_column, arguments.text_column]
    if speaker_column is not None:
        columns.append(speaker_column)
    missing = [name for name in columns if name not in header]
    if missing:
        got = ", ".join(header) or "none"
        raise ValueError(
            f"{table}: expected columns {', '.join(missing)}; got {got}.{_advice(header)}"
        )
    for row in rows:
        where = f"{table.name}:{rows.line_num}"
        path = row[arguments.path_column]
        text = row[arguments.text_column]
        if not path or text is None:
            raise ValueError(
                f"{table.parent / where}: expected a path and a text; got {path!r} and {text!r}"
            )
        speaker = None
        if speaker_column is not None:
            speaker = row[speaker_column] or None
        yield Utterance(root / path, text=text, speaker=speaker, where=where)


def _advice(header: Sequence[str]) -> str:
    """What to do about a header without the columns that are asked for."""
    only = header[0] if len(header) == 1 else ""
    for delimiter in ";\t|,":
        if delimiter in only:
            return f" It looks as if the columns were told apart by --delimiter {delimiter!r}"
    return " Name yours by --path-column, --text-column and --speaker-column"


def open_table(path: Path, delimiter: str | None) -> csv.DictReader[str]:
    """The rows of a table; without a delimiter, tabs in .tsv and commas elsewhere."""
    if delimiter is None:
        delimiter = "\t" if path.suffix == ".tsv" else ","
    try:
        content = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: expected UTF-8; {error}") from error
    lines = io.StringIO(content, newline="")
    if delimiter == "\t":  # as in Common Voice: quotes are characters of the text
        return csv.DictReader(lines, delimiter=delimiter, quoting=csv.QUOTE_NONE)
    return csv.DictReader(lines, delimiter=delimiter)


def main(argv: Sequence[str] | None = None) -> int:
    """`ctcasr prepare csv`; ValueError or OSError where that fails."""
    source = "table with a first line of column names, in UTF-8"
    parser = _prepare.corpus_parser("csv", __doc__, source)
    parser.add_argument(
        "--path-column", default="path", help="column of the sound files (default: path)"
    )
    parser.add_argument("--text-column", default="text", help="column of the texts (default: text)")
    parser.add_argument(
        "--speaker-column", help="column of the speakers (default: speaker, where there is one)"
    )
    parser.add_argument(
        "--delimiter", help="between columns (default: tab for .tsv, comma for others)"
    )
    parser.add_argument(
        "--root", type=Path, help="folder that the paths start from (default: the table's)"
    )
    return _prepare.prepare(read, parser.parse_args(argv))
