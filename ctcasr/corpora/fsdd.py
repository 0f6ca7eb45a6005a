"""Free Spoken Digit Dataset to manifests.

ctcasr prepare fsdd fsdd/recordings --out train.jsonl --test test.jsonl

Recordings are named DIGIT_SPEAKER_INDEX.wav; the data set's own rule makes indices 0 to 4 the test
part.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from ctcasr.batch import Utterance
from ctcasr.corpora import _prepare

DIGITS = ("ZERO", "ONE", "TWO", "THREE", "FOUR", "FIVE", "SIX", "SEVEN", "EIGHT", "NINE")
NAME = re.compile(r"(?P<digit>\d)_(?P<speaker>.+)_(?P<index>\d+)")
TEST_INDICES = range(5)


def read(arguments: argparse.Namespace, test: bool = False) -> Iterator[Utterance]:
    """Every recording of a part, by speaker, digit and index; ValueError where there is none."""
    root = Path(arguments.source)
    recordings = []
    for path in root.glob("*.wav"):
        match = NAME.fullmatch(path.stem)
        if match is not None:
            recordings.append((match["speaker"], match["digit"], int(match["index"]), path))
    if not recordings:
        raise ValueError(f"{root}: expected recordings named DIGIT_SPEAKER_INDEX.wav; found none")
    part = [found for found in sorted(recordings) if (found[2] in TEST_INDICES) == test]
    if not part:
        which = "below 5, the test part" if test else "from 5 on, the training part"
        raise ValueError(f"{root}: expected recordings with an INDEX {which}; found none")
    for speaker, digit, _, path in part:
        text = DIGITS[int(digit)]
        yield Utterance(path, text=text, speaker=speaker, label=digit, where=path.name)


def main(argv: Sequence[str] | None = None) -> int:
    """`ctcasr prepare fsdd`; ValueError or OSError where that fails."""
    parser = _prepare.corpus_parser("fsdd", __doc__, "the folder recordings")
    parser.add_argument("--test", type=Path, help="manifest for the test part")
    arguments = parser.parse_args(argv)
    outs = [arguments.out, arguments.valid, arguments.test]
    _prepare.refuse_overwriting([out for out in outs if out is not None], [arguments.source])
    status = _prepare.prepare(read, arguments)
    if arguments.test is not None:
        test = argparse.Namespace(source=arguments.source, out=arguments.test, valid=None)
        status = _prepare.prepare(lambda part: read(part, test=True), test)
    return status
