"""Strings of digits of one speaker each, strung together of the Free Spoken Digit Dataset.

python tools/study/digit_strings.py $CTCASR_DATA/fsdd/train.jsonl --lines 600 --out FOLDER
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).parents[2]))

import soundfile
import torch
from torch import Tensor

from ctcasr.batch import Utterance
from ctcasr.data import read_audio, read_manifest, write_manifest

_RATE_HZ = 8000
_PAUSE_S = (0.03, 0.2)  # between digits
_LENGTHS = (3, 6)  # digits in a string


def main() -> None:
    """Draw digits, string them together, write sound files and a manifest."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("manifest")
    parser.add_argument("--lines", type=int, default=600)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    generator = Random(arguments.seed)
    digits_of = defaultdict(list)
    for utterance in read_manifest(arguments.manifest):
        digits_of[utterance.speaker].append(utterance)
    speakers = sorted(digits_of, key=str)

    arguments.out.mkdir(parents=True, exist_ok=True)
    lines = []
    for number in range(arguments.lines):
        speaker = generator.choice(speakers)
        length = generator.randint(*_LENGTHS)
        digits = generator.choices(digits_of[speaker], k=length)
        samples = strung_together(digits, generator)
        path = arguments.out / f"string{number:04d}.wav"
        soundfile.write(path, samples.numpy(), _RATE_HZ, subtype="PCM_16")
        line = Utterance(
            path,
            duration=len(samples) / _RATE_HZ,
            text=" ".join(digit.text or "" for digit in digits),
            speaker=speaker,
        )
        lines.append(line)
    write_manifest(arguments.out / "all.jsonl", lines)
    seconds = sum(line.duration or 0 for line in lines)
    print(f"{len(lines)} strings, {seconds / 60:.1f} minutes")


def strung_together(digits: Sequence[Utterance], generator: Random) -> Tensor:
    """Samples [N] of digits, a pause of random length behind each."""
    pieces = []
    for digit in digits:
        pause_s = generator.uniform(*_PAUSE_S)
        pause = torch.zeros(round(pause_s * _RATE_HZ))
        pieces.append(read_audio(digit, _RATE_HZ))
        pieces.append(pause)
    return torch.cat(pieces)


if __name__ == "__main__":
    main()
