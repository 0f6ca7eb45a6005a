"""A table of paths and texts to a manifest: ctcasr prepare csv table.csv --out train.jsonl

Common Voice: ctcasr prepare csv en/train.tsv --root en/clips --text-column sentence --speaker-column client_id --out m.jsonl
"""

from __future__ import annotations

import argparse
import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path

from ctcasr.batch import Utterance
from ctcasr.corpora import _prepare


def read(arguments: argparse.Namespace) -> Iterator[Utterance]:
    """One utterance per row; paths are relative to --root, by default the table's folder."""
    table = Path(arguments.source)
    root = table.parent if arguments.root is None else arguments.root
    delimiter = arguments.delimiter or ("\t" if table.suffix == ".tsv" else ",")
    columns = {
        "path": arguments.path_column,
        "text": arguments.text_column,
        "speaker": arguments.speaker_column,
    }
    try:
        content = table.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{table}: expected UTF-8; {error}") from error
    rows = csv.DictReader(
        io.StringIO(content, newline=""),
        delimiter=delimiter,
        # between tabs, as in Common Voice, quotes are characters of the text
        quoting=csv.QUOTE_NONE if delimiter == "\t" else csv.QUOTE_MINIMAL,
    )
    missing = [
        name
        for name in columns.values()
        if name is not None and name not in (rows.fieldnames or ())
    ]
    if missing:
        raise ValueError(
            f"{table}: expected columns {', '.join(missing)}; got {', '.join(rows.fieldnames or ()) or 'none'}"
        )
    for row in rows:
        where = f"{table.name}:{rows.line_num}"
        path, text = row[columns["path"]], row[columns["text"]]
        if not path or text is None:
            raise ValueError(
                f"{table.parent / where}: expected a path and a text; got {path!r} and {text!r}"
            )
        speaker = row[columns["speaker"]] or None if columns["speaker"] else None
        yield Utterance(root / path, text=text, speaker=speaker, where=where)


def main(argv: Sequence[str] | None = None) -> int:
    parser = _prepare.parser(__doc__ or "", "table with a first line of column names, in UTF-8")
    parser.add_argument(
        "--path-column", default="path", help="column of the sound files (default: path)"
    )
    parser.add_argument("--text-column", default="text", help="column of the texts (default: text)")
    parser.add_argument("--speaker-column", help="column of the speakers (default: none)")
    parser.add_argument(
        "--delimiter", help="between columns (default: tab for .tsv, comma for others)"
    )
    parser.add_argument(
        "--root", type=Path, help="folder that the paths start from (default: the table's)"
    )
    return _prepare.run(read, parser.parse_args(argv))


if __name__ == "__main__":
    raise SystemExit(main())
