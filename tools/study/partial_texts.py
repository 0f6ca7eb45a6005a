"""Alignment of recordings whose text is incomplete, against that of the whole text.

python tools/study/partial_texts.py CHECKPOINT MANIFEST [--gap 0.4]

Of each line the first two words are taken out of the text, the last two, or both; the words that
are left are aligned with a star in the gaps, and plainly. Told: median and 90 % of the distances
of word starts from those with the whole text.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import numpy as np
import torch
from torch import Tensor

from ctcasr.batch import Utterance
from ctcasr.ctc import Star, forced_align
from ctcasr.data import read_audio, read_manifest
from ctcasr.recognise.recogniser import Recogniser
from ctcasr.seq import Seq

PARTS = {  # words that are taken out in front and behind
    "without the first two": (2, 0),
    "without the last two": (0, 2),
    "without both": (2, 2),
}


@dataclass(frozen=True)
class Spoken:
    """One recording: its scores, its words, and when each of them begins, in seconds."""

    logits: Tensor  # [1, T, C]
    words: list[str]
    starts: list[float]


def main() -> None:
    """Align and compare; a line of JSON for each part and gap cost."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("checkpoint")
    parser.add_argument("manifest")
    parser.add_argument("--gap", type=float, nargs="+", default=[-3.0, -1.0, 0.4, 2.0])
    arguments = parser.parse_args()
    recogniser = Recogniser.load_checkpoint(arguments.checkpoint)
    recordings = []
    for utterance in read_manifest(arguments.manifest):
        recordings.append(spoken(recogniser, utterance))
    for name, (first, last) in PARTS.items():
        for gap_cost in [None, *arguments.gap]:
            star = None if gap_cost is None else Star(gap_cost=gap_cost)
            distances: list[float] = []
            for recording in recordings:
                kept = slice(first, len(recording.words) - last)
                part = starts(recogniser, recording.logits, recording.words[kept], star)
                differences = np.array(part) - np.array(recording.starts[kept])
                distances += np.abs(differences).tolist()
            median_s = float(np.median(distances))
            p90_s = float(np.quantile(distances, 0.9))
            line = {
                "part": name,
                "gap_cost": gap_cost,
                "words": len(distances),
                "median_ms": round(1000 * median_s),
                "p90_ms": round(1000 * p90_s),
            }
            print(json.dumps(line), flush=True)


def spoken(recogniser: Recogniser, utterance: Utterance) -> Spoken:
    """A recording with its whole text aligned."""
    samples = read_audio(utterance, recogniser.rate_hz)
    with torch.no_grad():
        scores = recogniser.logits(Seq.stack([samples], recogniser.rate_hz))
    reference = recogniser.tokenizer.reference(utterance.text or "")
    words = reference.text.split()
    return Spoken(scores.data, words, starts(recogniser, scores.data, words, None))


def starts(
    recogniser: Recogniser, logits: Tensor, words: list[str], star: Star | None
) -> list[float]:
    """Seconds at which the words begin."""
    labels = recogniser.tokenizer.encode(" ".join(words))
    targets = torch.tensor([labels])
    frames = logits.shape[1]
    (alignment,) = forced_align(logits, targets, [frames], [len(labels)], star=star)
    seconds = []
    place = 0
    for word in words:
        first_token = alignment.tokens[place]
        seconds.append(first_token.start * recogniser.frame_s)
        place += len(recogniser.tokenizer.encode(word)) + 1  # and the space
    return seconds


if __name__ == "__main__":
    main()
