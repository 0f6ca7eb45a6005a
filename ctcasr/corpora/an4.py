"""CMU AN4 (speech.cs.cmu.edu/databases/an4) to a manifest: ctcasr prepare an4 an4 --part train --out train.jsonl

Sphere files (an4_sphere) are read as they are. Headerless ones (an4_raw.bigendian: 16 bits, 16 kHz) are copied to WAV beside the manifest;
the originals stay.
"""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import soundfile

from ctcasr.batch import Utterance
from ctcasr.corpora import _prepare

RATE_HZ = 16000
_LINE = re.compile(r"\s*(?:<s>)?(.*?)(?:</s>)?\s*\(([^()\s]+)\)\s*")  # <s> YES </s> (an251-fash-b)


def read(arguments: argparse.Namespace) -> Iterator[Utterance]:
    """Every line of etc/an4_PART.fileids, with its text from etc/an4_PART.transcription; the speaker is the folder of the sound."""
    root = Path(arguments.source)
    ids, texts = (
        root / "etc" / f"an4_{arguments.part}.fileids",
        root / "etc" / f"an4_{arguments.part}.transcription",
    )
    for path in (ids, texts):
        if not path.is_file():
            raise ValueError(
                f"{path}: expected a file; is {root} AN4's own folder, with etc and wav in it?"
            )
    said: dict[str, str] = {}
    for where, line in _prepare.lines_of(texts):
        found = _LINE.fullmatch(line)
        if found is None:
            raise ValueError(
                f"{texts.parent / where}: expected a text with its name in brackets; got {line!r}"
            )
        said[found[2]] = " ".join(found[1].split())
    converted = arguments.out.with_suffix("").with_name(f"{arguments.out.stem}_wav")
    for where, line in _prepare.lines_of(ids):
        name = Path(line.strip())
        if name.name not in said:
            raise ValueError(
                f"{ids.parent / where}: expected a text for {name.name} in {texts.name}; there is none"
            )
        sphere, raw = (
            root / "wav" / name.with_name(name.name + suffix) for suffix in (".sph", ".raw")
        )
        path = (
            sphere
            if sphere.is_file() or not raw.is_file()
            else as_wave(raw, converted / name.parent.name / f"{name.name}.wav")
        )
        yield Utterance(path, text=said[name.name], speaker=name.parent.name, where=where)


def as_wave(raw: Path, path: Path) -> Path:
    """A WAV file of headerless big-endian samples, whole or not at all."""
    samples = np.frombuffer(raw.read_bytes()[: raw.stat().st_size // 2 * 2], dtype=">i2")
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    soundfile.write(part, samples.astype(np.int16), RATE_HZ, subtype="PCM_16", format="WAV")
    os.replace(part, path)
    return path


def main(argv: Sequence[str] | None = None) -> int:
    parser = _prepare.parser(__doc__ or "", "AN4's folder, with etc and wav in it")
    parser.add_argument(
        "--part",
        choices=("train", "test"),
        default="train",
        help="which list of the corpus (default train)",
    )
    return _prepare.run(read, parser.parse_args(argv))


if __name__ == "__main__":
    raise SystemExit(main())
