"""CMU AN4 (speech.cs.cmu.edu/databases/an4) to a manifest.

ctcasr prepare an4 an4 --part train --out train.jsonl

Sphere files (an4_sphere) are read as they are. Headerless ones (an4_raw.bigendian: 16 bits,
16 kHz) are copied to WAV beside the manifest; the originals stay.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import soundfile

from ctcasr.batch import Utterance
from ctcasr.corpora import _prepare
from ctcasr.kernels.atomic import replacing

RATE_HZ = 16000
LINE = re.compile(r"\s*(?:<s>)?(.*?)(?:</s>)?\s*\(([^()\s]+)\)\s*")  # <s> YES </s> (an251-fash-b)


def read(arguments: argparse.Namespace) -> Iterator[Utterance]:
    """Every line of etc/an4_PART.fileids, with its text from etc/an4_PART.transcription.

    The speaker is the folder of the sound. ValueError where a file or a text is missing.
    """
    root = Path(arguments.source)
    ids = root / "etc" / f"an4_{arguments.part}.fileids"
    transcription = root / "etc" / f"an4_{arguments.part}.transcription"
    for path in (ids, transcription):
        if not path.is_file():
            raise ValueError(
                f"{path}: expected a file; is {root} AN4's own folder, with etc and wav in it?"
            )
    texts = read_texts(transcription)
    converted = arguments.out.with_suffix("").with_name(f"{arguments.out.stem}_wav")
    for where, line in _prepare.lines_of(ids):
        name = Path(line.strip())
        if name.name not in texts:
            raise ValueError(
                f"{ids.parent / where}: expected a text for {name.name} in {transcription.name}; "
                "there is none"
            )
        yield Utterance(
            sound_file(root / "wav" / name, converted),
            text=texts[name.name],
            speaker=name.parent.name,
            where=where,
        )


def read_texts(path: Path) -> dict[str, str]:
    """Texts by the names in brackets behind them; ValueError for a line without one."""
    texts: dict[str, str] = {}
    for where, line in _prepare.lines_of(path):
        match = LINE.fullmatch(line)
        if match is None:
            raise ValueError(
                f"{path.parent / where}: expected a text with its name in brackets; got {line!r}"
            )
        texts[match[2]] = " ".join(match[1].split())
    return texts


def sound_file(stem: Path, converted: Path) -> Path:
    """The sphere file of a recording, or the WAV copy of a headerless one."""
    sphere = stem.with_name(stem.name + ".sph")
    raw = stem.with_name(stem.name + ".raw")
    if sphere.is_file() or not raw.is_file():
        return sphere
    return as_wave(raw, converted / stem.parent.name / f"{stem.name}.wav")


def as_wave(raw: Path, path: Path) -> Path:
    """A WAV file of headerless big-endian samples, whole or not at all."""
    whole_samples = raw.read_bytes()[: raw.stat().st_size // 2 * 2]
    samples = np.frombuffer(whole_samples, dtype=">i2")
    with replacing(path, durable=False) as part:
        soundfile.write(part, samples.astype(np.int16), RATE_HZ, subtype="PCM_16", format="WAV")
    return path


def main(argv: Sequence[str] | None = None) -> int:
    """`ctcasr prepare an4`; ValueError or OSError where that fails."""
    parser = _prepare.corpus_parser("an4", __doc__, "AN4's folder, with etc and wav in it")
    parser.add_argument(
        "--part",
        choices=("train", "test"),
        default="train",
        help="which list of the corpus (default train)",
    )
    return _prepare.prepare(read, parser.parse_args(argv))
