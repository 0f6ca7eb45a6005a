"""GRID (zenodo.org/records/3625687) to a manifest.

ctcasr prepare grid grid --out train.jsonl --valid valid.jsonl

The name of a recording spells its sentence (bbaf2n: BIN BLUE AT F TWO NOW); folders s1, s2 ... name
the talkers. Video and word times of the same name and talker are found wherever they lie below the
folder.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from ctcasr.batch import Utterance
from ctcasr.corpora import _prepare

# Command, colour, preposition, letter, digit, adverb: what each character of a name stands for.
WORDS = (
    {"b": "BIN", "l": "LAY", "p": "PLACE", "s": "SET"},
    {"b": "BLUE", "g": "GREEN", "r": "RED", "w": "WHITE"},
    {"a": "AT", "b": "BY", "i": "IN", "w": "WITH"},
    {letter: letter.upper() for letter in "abcdefghijklmnopqrstuvxyz"},
    {
        "z": "ZERO",
        "1": "ONE",
        "2": "TWO",
        "3": "THREE",
        "4": "FOUR",
        "5": "FIVE",
        "6": "SIX",
        "7": "SEVEN",
        "8": "EIGHT",
        "9": "NINE",
    },
    {"a": "AGAIN", "n": "NOW", "p": "PLEASE", "s": "SOON"},
)
KINDS = {  # suffix -> what such a file holds
    ".wav": "sound",
    ".flac": "sound",
    ".mpg": "video",
    ".mp4": "video",
    ".align": "times",
}
TALKER = re.compile(r"(?:.*[_-])?(s\d+)(?:[_.-].*)?", re.IGNORECASE)


class File(NamedTuple):
    """What kind of file it is, whose, and which sentence."""

    kind: str
    talker: str | None
    stem: str


def sentence(stem: str) -> str | None:
    """The sentence that a file name spells; None where it is none of GRID's.

    Example:
        >>> sentence("bbaf2n"), sentence("notes")
        ('BIN BLUE AT F TWO NOW', None)
    """
    if len(stem) != len(WORDS):
        return None
    words = [choices.get(char) for char, choices in zip(stem, WORDS, strict=True)]
    spelled = [word for word in words if word is not None]
    return " ".join(spelled) if len(spelled) == len(WORDS) else None


def read(arguments: argparse.Namespace) -> Iterator[Utterance]:
    """Every sound file below the folder whose name spells a sentence.

    Raises:
        ValueError: where there is none, or none of a talker that is asked for.
    """
    root = Path(arguments.source)
    files, nobodys = find_files(root)
    talkers = chosen_talkers(root, files, arguments.talkers)
    for file, path in files.items():
        if file.kind != "sound" or file.talker not in talkers:
            continue
        times = files.get(file._replace(kind="times"))
        yield Utterance(
            path,
            text=sentence(file.stem),
            speaker=file.talker,
            video_filepath=files.get(file._replace(kind="video")),
            extra={"align_filepath": str(times)} if times else {},
            where=path.relative_to(root).as_posix(),
        )
    if nobodys:
        print(
            f"left out: {len(nobodys)} recordings of sentences that another file has, too (first "
            f"{nobodys[0]}): expected talkers' folders called s1, s2 ...",
            file=sys.stderr,
        )


def chosen_talkers(
    root: Path, files: Mapping[File, Path], names: Sequence[str] | None
) -> set[str | None]:
    """The talkers that are asked for, in whatever case; all of them where none are.

    Raises:
        ValueError: where there is no recording, or one is asked for who has none.
    """
    talkers = {file.talker for file in files if file.kind == "sound"}
    if not talkers:
        raise ValueError(
            f"{root}: expected recordings of GRID, named by their sentences (bbaf2n.wav); found "
            "none in it or below"
        )
    if names is None:
        return talkers
    wanted: set[str | None] = {name.lower() for name in names}
    unknown = [name for name in names if name.lower() not in talkers]
    if unknown:
        known = ", ".join(sorted(talker for talker in talkers if talker)) or "no folder of one"
        raise ValueError(
            f"--talkers: expected some of {root}'s ({known}); there is no {', '.join(unknown)}"
        )
    return wanted


def find_files(root: Path) -> tuple[dict[File, Path], list[Path]]:
    """The first file of each kind, talker and sentence, in the order of their paths.

    And the sounds that are left out for it though nobody knows whose they are.
    """
    files: dict[File, Path] = {}
    nobodys: list[Path] = []
    for path in sorted(root.rglob("*")):
        kind = KINDS.get(path.suffix.lower())
        stem = path.stem.lower()
        if kind is not None and sentence(stem) is not None:
            file = File(kind, talker_of(path, root), stem)
            first = files.setdefault(file, path)
            if first != path and file.talker is None and kind == "sound":
                nobodys.append(path)
    return files, nobodys


def talker_of(path: Path, root: Path) -> str | None:
    """The last folder of a path that is named as talkers are, from the root on."""
    talker = None
    for name in (*root.resolve().parts[-1:], *path.relative_to(root).parts[:-1]):
        match = TALKER.fullmatch(name)
        if match is not None:
            talker = match[1].lower()
    return talker


def main(argv: Sequence[str] | None = None) -> int:
    """`ctcasr prepare grid`; ValueError or OSError where that fails."""
    source = "folder with the recordings of one talker or of many, at any depth"
    parser = _prepare.corpus_parser("grid", __doc__, source)
    parser.add_argument("--talkers", nargs="+", help="only these, as s1 s2 (default: all)")
    return _prepare.prepare(read, parser.parse_args(argv))
