"""Common Voice (commonvoice.mozilla.org) to a manifest: ctcasr prepare commonvoice cv-corpus/en --part train --out train.jsonl

Texts are written in the alphabet: case and accents folded, punctuation taken out. What still has other characters (digits of another
script, letters that have no plain form) is left out. Both are counted and reported.
"""

from __future__ import annotations

import argparse
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from ctcasr.batch import Utterance
from ctcasr.corpora import _prepare
from ctcasr.text import Alphabet

COLUMNS = ("client_id", "path", "sentence")
_SPOKEN = "%&@#§/*"  # punctuation by its category, but somebody says a word for it
_SHOWN = 12  # characters that are shown in the report


def plain(sentence: str, alphabet: Alphabet) -> tuple[str, Counter[str], Counter[str]]:
    """The sentence in the alphabet's form, the punctuation that was taken out, and the characters that have no place in the alphabet."""
    formed = alphabet.normalise(sentence)
    removed, foreign = Counter[str](), Counter[str]()
    kept: list[str] = []
    for char in formed:
        if alphabet.covered(char) or char.isspace():
            kept.append(char)
        elif char not in _SPOKEN and (unicodedata.category(char)[0] in "PZ" or char in "`´^~|<>"):
            removed[char] += 1
            kept.append(" ")
        else:
            foreign[char] += 1
    return " ".join("".join(kept).split()), removed, foreign


class Texts:
    """Reads the table, and remembers what was done to its texts."""

    def __init__(self) -> None:
        self.removed, self.foreign = Counter[str](), Counter[str]()
        self.changed = self.left_out = self.empty = 0

    def read(self, arguments: argparse.Namespace) -> Iterator[Utterance]:
        """Every line of PART.tsv whose text can be written; clips lie in clips/, the speaker is the first 16 letters of client_id."""
        table = Path(arguments.source) / f"{arguments.part}.tsv"
        if not table.is_file():
            there = sorted(path.stem for path in Path(arguments.source).glob("*.tsv"))
            raise ValueError(
                f"{table}: expected a table of Common Voice; {arguments.source} has {', '.join(there) or 'none'}"
            )
        alphabet = Alphabet.english38()
        lines = _prepare.lines_of(table)
        header = lines[0][1].rstrip("\r").split("\t") if lines else []
        if missing := [column for column in COLUMNS if column not in header]:
            raise ValueError(
                f"{table}:1: expected columns {', '.join(COLUMNS)}; there is no {', '.join(missing)}"
            )
        at = {column: header.index(column) for column in COLUMNS}
        for where, line in lines[1:]:  # quotes are part of the sentences, not of the format
            cells = line.rstrip("\r").split("\t")
            if len(cells) < len(header):
                raise ValueError(
                    f"{table.parent / where}: expected {len(header)} columns; got {len(cells)}"
                )
            text, removed, foreign = plain(cells[at["sentence"]], alphabet)
            self.removed.update(removed.keys())  # sentences, not characters
            if foreign:
                self.foreign.update(foreign.keys())
                self.left_out += 1
            elif not text:
                self.empty += 1
            else:
                self.changed += bool(removed)
                path = Path(arguments.source) / "clips" / cells[at["path"]]
                path = (
                    path if path.suffix else path.with_suffix(".mp3")
                )  # early releases leave the suffix out
                yield Utterance(path, text=text, speaker=cells[at["client_id"]][:16], where=where)

    def report(self) -> str:
        """What was done, in lines with counts."""
        shown = {
            name: ", ".join(
                f"{char!r} U+{ord(char):04X} x{n}" for char, n in count.most_common(_SHOWN)
            )
            + (" ..." if len(count) > _SHOWN else "")
            for name, count in (("removed", self.removed), ("foreign", self.foreign))
        }
        lines = [
            f"punctuation taken out of {self.changed} sentences"
            + (f": {shown['removed']}" if self.removed else "")
        ]
        lines += (
            [
                f"left out for characters outside the alphabet: {self.left_out} sentences: {shown['foreign']}"
            ]
            if self.left_out
            else []
        )
        lines += (
            [f"left out without a letter or digit: {self.empty} sentences"] if self.empty else []
        )
        return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    parser = _prepare.parser(
        __doc__ or "", "folder of one language, with train.tsv and clips in it"
    )
    parser.add_argument(
        "--part",
        default="train",
        help="which table: train, dev, test, validated, other (default train)",
    )
    texts = Texts()
    status = _prepare.run(texts.read, parser.parse_args(argv))
    if status == 0:
        print(texts.report())
    return status


if __name__ == "__main__":
    raise SystemExit(main())
