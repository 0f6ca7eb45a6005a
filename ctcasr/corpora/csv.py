"""A table of paths and texts to a manifest: ctcasr prepare csv table.csv --out train.jsonl

Common Voice: ctcasr prepare csv en/train.tsv --root en/clips --text-column sentence
              --speaker-column client_id --out m.jsonl
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

from ctcasr.batch import Utterance
from ctcasr.corpora import _prepare
from ctcasr.data.table import Table

SPEAKER = "speaker"  # column of the speakers, unless another one is named


def read(arguments: argparse.Namespace) -> Iterator[Utterance]:
    """One utterance per row; paths are relative to --root, by default the table's folder.

    Raises:
        ValueError: where columns or cells are missing, or the table is no UTF-8.
    """
    source = Path(arguments.source)
    root = source.parent if arguments.root is None else arguments.root
    table = Table(source, arguments.delimiter)
    header = table.columns
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
            f"{source}: expected columns {', '.join(missing)}; got {got}.{_advice(header)}"
        )
    for where, row in table:
        path = row[arguments.path_column]
        text = row[arguments.text_column]
        if not path or text is None:
            raise ValueError(
                f"{source.parent / where}: expected a path and a text; got {path!r} and {text!r}"
            )
        speaker = None
        if speaker_column is not None:
            speaker = row[speaker_column] or None
        yield Utterance(root / path, text=text, speaker=speaker, where=where)


def _advice(header: Sequence[str]) -> str:
    """What to do about a header without the columns that are asked for."""
    only = header[0] if len(header) == 1 else ""
    for delimiter, typed in {";": "';'", "\t": r"'\t'", "|": "'|'", ",": "','"}.items():
        if delimiter in only:
            return f" It looks as if the columns were told apart by --delimiter {typed}"
    return " Name yours by --path-column, --text-column and --speaker-column"


def _delimiter(word: str) -> str:
    r"""What stands between columns: one character, or \t for a tab."""
    delimiter = "\t" if word in ("\\t", "tab") else word
    if len(delimiter) != 1 or delimiter in '"\r\n':
        raise argparse.ArgumentTypeError(rf"expected one character, or \t for a tab; got {word!r}")
    return delimiter


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
        "--delimiter",
        type=_delimiter,
        help=r"between columns, \t for a tab (default: tab for .tsv, comma for others)",
    )
    parser.add_argument(
        "--root", type=Path, help="folder that the paths start from (default: the table's)"
    )
    return _prepare.prepare(read, parser.parse_args(argv))
