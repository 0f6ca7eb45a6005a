"""LibriSpeech (openslr.org/12) to a manifest: ctcasr prepare librispeech LibriSpeech/train-* --out train.jsonl"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

from ctcasr.batch import Utterance
from ctcasr.corpora import _prepare


def read(arguments: argparse.Namespace) -> Iterator[Utterance]:
    """Every line of every *.trans.txt below the folders; the sound lies beside it, the speaker is the first number of the name."""
    for source in (arguments.source, *arguments.more):
        found = sorted(Path(source).rglob("*.trans.txt"))
        if not found:
            raise ValueError(
                f"{source}: expected a LibriSpeech folder; found no *.trans.txt in it or below"
            )
        for transcript in found:
            for where, line in _prepare.lines_of(transcript):
                name, _, text = line.strip().partition(" ")
                yield Utterance(
                    transcript.parent / f"{name}.flac",
                    text=text,
                    speaker=name.split("-")[0],
                    where=where,
                )


def main(argv: Sequence[str] | None = None) -> int:
    parser = _prepare.parser(
        __doc__ or "", "folder of a part (train-clean-100), or one with several parts in it"
    )
    parser.add_argument(
        "more", type=Path, nargs="*", help="more such folders, into the same manifest"
    )
    return _prepare.run(read, parser.parse_args(argv))


if __name__ == "__main__":
    raise SystemExit(main())
