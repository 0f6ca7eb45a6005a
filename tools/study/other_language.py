"""German sentences, spoken by eSpeak NG: recordings that no English transcript fits.

python tools/study/other_language.py --lines 40 --out FOLDER
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).parents[2]))

import soundfile

from ctcasr.batch import Utterance
from ctcasr.data import write_manifest
from ctcasr.data.espeak import FEMALE, MALE, speak

_GERMAN = (
    "Morgen Abend Straße Fenster Wasser Kirche Brücke Schiff Garten Vogel Zucker Schlüssel "
    "gestern heute niemals vielleicht zwischen ohne gegen durch schnell langsam fröhlich müde "
    "gehen sprechen schreiben zeigen öffnen vergessen verstehen wünschen"
)
_WORDS_OF_LINE = (4, 6)
_PITCHES = (30, 70)  # of eSpeak's 0 to 99
_RATES_WPM = (140, 190)


def main() -> None:
    """Draw sentences, speak them, write sound files and a manifest."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--lines", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    generator = Random(arguments.seed)
    arguments.out.mkdir(parents=True, exist_ok=True)
    lines = []
    for number in range(arguments.lines):
        line = spoken(arguments.out / f"german{number:03d}.wav", generator)
        lines.append(line)
    write_manifest(arguments.out / "all.jsonl", lines)
    seconds = sum(line.duration or 0 for line in lines)
    print(f"{len(lines)} sentences, {seconds / 60:.1f} minutes")


def spoken(path: Path, generator: Random) -> Utterance:
    """One sentence at random, said by a voice at random, in a file."""
    text = " ".join(generator.choices(_GERMAN.split(), k=generator.randint(*_WORDS_OF_LINE)))
    variant = generator.choice(MALE + FEMALE)
    samples, rate_hz = speak(
        text,
        f"de+{variant}",
        rate_wpm=generator.randint(*_RATES_WPM),
        pitch=generator.randint(*_PITCHES),
        seed=generator.randrange(1 << 31),
    )
    soundfile.write(path, samples.numpy(), rate_hz, subtype="PCM_16")
    return Utterance(path, duration=len(samples) / rate_hz, text=text, speaker=variant)


if __name__ == "__main__":
    main()
