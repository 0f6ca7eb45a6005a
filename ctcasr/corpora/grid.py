"""GRID (zenodo.org/records/3625687) to a manifest: ctcasr prepare grid grid --out train.jsonl --valid valid.jsonl

The name of a recording spells its sentence (bbaf2n: BIN BLUE AT F TWO NOW); folders s1, s2 ... name the talkers. Video and word times
of the same name and talker are found wherever they lie below the folder.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from ctcasr.batch import Utterance
from ctcasr.corpora import _prepare

_WORDS = (
    {"b": "BIN", "l": "LAY", "p": "PLACE", "s": "SET"},
    {"b": "BLUE", "g": "GREEN", "r": "RED", "w": "WHITE"},
    {"a": "AT", "b": "BY", "i": "IN", "w": "WITH"},
    {letter: letter.upper() for letter in "abcdefghijklmnopqrstuvxyz"},
    dict(
        zip(
            "z123456789",
            ["ZERO", "ONE", "TWO", "THREE", "FOUR", "FIVE", "SIX", "SEVEN", "EIGHT", "NINE"],
            strict=True,
        )
    ),
    {"a": "AGAIN", "n": "NOW", "p": "PLEASE", "s": "SOON"},
)
_SOUND, _VIDEO, _TIMES = (".wav", ".flac"), (".mpg", ".mp4"), (".align",)


def sentence(stem: str) -> str | None:
    """The sentence that a file name spells; None where it is none of GRID's."""
    if len(stem) != len(_WORDS) or any(
        char not in words for char, words in zip(stem, _WORDS, strict=True)
    ):
        return None
    return " ".join(words[char] for char, words in zip(stem, _WORDS, strict=True))


def read(arguments: argparse.Namespace) -> Iterator[Utterance]:
    """Every sound file below the folder whose name spells a sentence."""
    root = Path(arguments.source)
    found: dict[tuple[str, str | None, str], Path] = {}
    for path in sorted(root.rglob("*")):
        for kind, suffixes in (("sound", _SOUND), ("video", _VIDEO), ("times", _TIMES)):
            if path.suffix.lower() in suffixes and sentence(path.stem.lower()):
                found.setdefault((kind, _talker(path, root), path.stem.lower()), path)
    for (kind, talker, stem), path in found.items():
        if kind != "sound" or (arguments.talkers and talker not in arguments.talkers):
            continue
        times, video = (found.get((other, talker, stem)) for other in ("times", "video"))
        extra = {"align_filepath": str(times)} if times else {}
        where = path.relative_to(root).as_posix()
        yield Utterance(
            path,
            None,
            sentence(stem),
            speaker=talker,
            video_filepath=video,
            extra=extra,
            where=where,
        )


def _talker(path: Path, root: Path) -> str | None:
    names = (*root.resolve().parts[-1:], *path.relative_to(root).parts[:-1])
    talkers = [
        match[1]
        for name in names
        if (match := re.fullmatch(r"(?:.*[_-])?(s\d+)(?:[_.-].*)?", name))
    ]
    return talkers[-1] if talkers else None


def main(argv: Sequence[str] | None = None) -> int:
    parser = _prepare.parser(
        __doc__ or "", "folder with the recordings of one talker or of many, at any depth"
    )
    parser.add_argument("--talkers", nargs="+", help="only these, as s1 s2 (default: all)")
    return _prepare.run(read, parser.parse_args(argv))


if __name__ == "__main__":
    raise SystemExit(main())
