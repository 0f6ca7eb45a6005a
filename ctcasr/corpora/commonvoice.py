"""Common Voice (commonvoice.mozilla.org) to a manifest.

ctcasr prepare commonvoice cv-corpus/en --part train --out train.jsonl

Texts are written in the alphabet: case and accents folded, punctuation taken out. What still has
other characters (digits of another script, letters that have no plain form) is left out. Both are
counted and reported.
"""

from __future__ import annotations

import argparse
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ctcasr.batch import Utterance
from ctcasr.corpora import _prepare
from ctcasr.text import Alphabet

COLUMNS = ("client_id", "path", "sentence")
SPOKEN = "%&@#§/*"  # punctuation by its category, but somebody says a word for it
SILENT = "`´^~|<>"  # symbols by their category, but nobody says anything for them
SHOWN = 12  # characters that are shown in the report
SPEAKER_LETTERS = 16  # of client_id: enough to tell speakers apart


@dataclass(frozen=True)
class PlainText:
    """A sentence in the alphabet's form.

    `removed` is the punctuation that was taken out; `foreign` has no place in the alphabet.
    """

    text: str
    removed: frozenset[str]
    foreign: frozenset[str]


def plain(sentence: str, alphabet: Alphabet) -> PlainText:
    """The sentence as the alphabet writes it."""
    removed: set[str] = set()
    foreign: set[str] = set()
    written: list[str] = []
    for char in alphabet.normalise(sentence):
        if alphabet.covered(char) or char.isspace():
            written.append(char)
        elif is_punctuation(char):
            removed.add(char)
            written.append(" ")
        else:
            foreign.add(char)
    text = " ".join("".join(written).split())
    return PlainText(text, frozenset(removed), frozenset(foreign))


def is_punctuation(char: str) -> bool:
    """Whether nobody says anything for it."""
    if char in SPOKEN:
        return False
    return unicodedata.category(char)[0] in "PZ" or char in SILENT


@dataclass
class Texts:
    """Reads the table, and remembers what was done to its texts (counts of sentences)."""

    removed: Counter[str] = field(default_factory=Counter)
    foreign: Counter[str] = field(default_factory=Counter)
    changed: int = 0
    left_out: int = 0
    empty: int = 0

    def read(self, arguments: argparse.Namespace) -> Iterator[Utterance]:
        """Every line of PART.tsv whose text can be written; clips lie in clips/.

        The speaker is the first 16 letters of client_id. ValueError for no table of Common Voice.
        """
        root = Path(arguments.source)
        alphabet = Alphabet.english38()
        for where, row in read_table(root, arguments.part):
            sentence = plain(row["sentence"], alphabet)
            self.foreign.update(sentence.foreign)
            if sentence.foreign:
                self.left_out += 1
            elif not sentence.text:
                self.empty += 1
            else:
                self.changed += bool(sentence.removed)
                self.removed.update(sentence.removed)
                clip = root / "clips" / row["path"]
                if not clip.suffix:  # early releases leave it out
                    clip = clip.with_suffix(".mp3")
                speaker = row["client_id"][:SPEAKER_LETTERS]
                yield Utterance(clip, text=sentence.text, speaker=speaker, where=where)

    def report(self) -> str:
        """What was done, in lines with counts."""
        line = f"punctuation taken out of {self.changed} sentences"
        lines = [f"{line}: {most_common(self.removed)}" if self.removed else line]
        if self.left_out:
            lines.append(
                f"left out for characters outside the alphabet: {self.left_out} sentences: "
                f"{most_common(self.foreign)}"
            )
        if self.empty:
            lines.append(f"left out without a letter or digit: {self.empty} sentences")
        return "\n".join(lines)


def read_table(root: Path, part: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Where each row of PART.tsv stands, and its cells by column.

    Raises:
        ValueError: where there is no such table, or it is not Common Voice's.
    """
    table = root / f"{part}.tsv"
    if not table.is_file():
        parts = ", ".join(sorted(path.stem for path in root.glob("*.tsv"))) or "none"
        raise ValueError(f"{table}: expected a table of Common Voice; {root} has {parts}")
    lines = _prepare.lines_of(table)
    header = cells_of(lines[0][1]) if lines else []
    missing = [column for column in COLUMNS if column not in header]
    if missing:
        raise ValueError(
            f"{table}:1: expected columns {', '.join(COLUMNS)}; there is no {', '.join(missing)}"
        )
    for where, line in lines[1:]:
        cells = cells_of(line)
        if len(cells) < len(header):
            raise ValueError(
                f"{table.parent / where}: expected {len(header)} columns; got {len(cells)}"
            )
        yield where, dict(zip(header, cells, strict=False))


def cells_of(line: str) -> list[str]:
    """Cells between tabs; quotes are part of the sentences, not of the format."""
    return line.rstrip("\r").split("\t")


def most_common(counts: Counter[str]) -> str:
    """Characters with their code points and counts."""
    shown = [f"{char!r} U+{ord(char):04X} x{count}" for char, count in counts.most_common(SHOWN)]
    dots = " ..." if len(counts) > SHOWN else ""
    return ", ".join(shown) + dots


def main(argv: Sequence[str] | None = None) -> int:
    """`ctcasr prepare commonvoice`; ValueError or OSError where that fails."""
    source = "folder of one language, with train.tsv and clips in it"
    parser = _prepare.corpus_parser("commonvoice", __doc__, source)
    parser.add_argument(
        "--part",
        default="train",
        help="which table: train, dev, test, validated, other (default train)",
    )
    texts = Texts()
    status = _prepare.prepare(texts.read, parser.parse_args(argv))
    print(texts.report())
    return status
