"""Free Spoken Digit Dataset to manifests: ctcasr prepare fsdd fsdd/recordings --out train.jsonl --test test.jsonl

Recordings are named DIGIT_SPEAKER_INDEX.wav; the data set's own rule makes indices 0 to 4 the test part.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from ctcasr.batch import Utterance
from ctcasr.corpora import _prepare

_DIGITS = ["ZERO", "ONE", "TWO", "THREE", "FOUR", "FIVE", "SIX", "SEVEN", "EIGHT", "NINE"]
_TEST = range(5)


def read(arguments: argparse.Namespace, test: bool = False) -> Iterator[Utterance]:
    """Every recording of the part, by speaker, digit and index."""
    root = Path(arguments.source)
    named = [(re.fullmatch(r"(\d)_(.+)_(\d+)", path.stem), path) for path in root.glob("*.wav")]
    found = sorted((match[2], match[1], int(match[3]), path) for match, path in named if match)
    if not found:
        raise ValueError(f"{root}: expected recordings named DIGIT_SPEAKER_INDEX.wav; found none")
    for speaker, digit, index, path in found:
        if (index in _TEST) == test:
            yield Utterance(
                path, text=_DIGITS[int(digit)], speaker=speaker, label=digit, where=path.name
            )


def main(argv: Sequence[str] | None = None) -> int:
    parser = _prepare.parser(__doc__ or "", "the folder recordings")
    parser.add_argument("--test", type=Path, help="manifest for the test part")
    arguments = parser.parse_args(argv)
    status = _prepare.run(read, arguments)
    if status == 0 and arguments.test is not None:
        test = argparse.Namespace(source=arguments.source, out=arguments.test, valid=None)
        status = _prepare.run(lambda part: read(part, test=True), test)
    return status


if __name__ == "__main__":
    raise SystemExit(main())
