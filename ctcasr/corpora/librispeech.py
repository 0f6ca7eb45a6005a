"""LibriSpeech (openslr.org/12) to a manifest.

ctcasr prepare librispeech LibriSpeech/train-* --out train.jsonl
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

from ctcasr.batch import Utterance
from ctcasr.corpora import _prepare


def read(arguments: argparse.Namespace) -> Iterator[Utterance]:
    """Every line of every *.trans.txt below the folders; the sound lies beside it.

    The speaker is the first number of the name. ValueError for a folder without transcripts.
    """
    seen: set[Path] = set()  # a folder may lie within another one
    for source in (arguments.source, *arguments.more):
        # Not .*: beside every file, macOS leaves a ._file on disks of others, with its own notes.
        transcripts = sorted(Path(source).rglob("[!.]*.trans.txt"))
        if not transcripts:
            raise ValueError(
                f"{source}: expected a LibriSpeech folder; found no *.trans.txt in it or below"
            )
        for transcript in transcripts:
            if transcript.resolve() in seen:
                continue
            seen.add(transcript.resolve())
            for where, line in _prepare.lines_of(transcript):
                name, _, text = line.strip().partition(" ")
                path = transcript.parent / f"{name}.flac"
                speaker = name.split("-")[0]
                yield Utterance(path, text=text, speaker=speaker, where=where)


def main(argv: Sequence[str] | None = None) -> int:
    """`ctcasr prepare librispeech`; ValueError or OSError where that fails."""
    source = "folder of a part (train-clean-100), or one with several parts in it"
    parser = _prepare.corpus_parser("librispeech", __doc__, source)
    parser.add_argument(
        "more", type=Path, nargs="*", help="more such folders, into the same manifest"
    )
    return _prepare.prepare(read, parser.parse_args(argv))
