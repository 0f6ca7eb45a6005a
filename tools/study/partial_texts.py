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
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import numpy as np
import torch

from ctcasr.ctc import Star, forced_align
from ctcasr.data import read_audio, read_manifest
from ctcasr.recognise.recogniser import Recogniser
from ctcasr.seq import Seq

PARTS = {"without the first two": (2, 0), "without the last two": (0, 2), "without both": (2, 2)}


def main() -> None:
    """Align and compare; a line of JSON for each part and gap cost."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("checkpoint")
    parser.add_argument("manifest")
    parser.add_argument("--gap", type=float, nargs="+", default=[-3.0, -1.0, 0.4, 2.0])
    arguments = parser.parse_args()
    recogniser = Recogniser.load_checkpoint(arguments.checkpoint)
    heard = []
    for utterance in read_manifest(arguments.manifest):
        samples = read_audio(utterance, recogniser.rate_hz)
        with torch.no_grad():
            logits = recogniser.logits(Seq.stack([samples], recogniser.rate_hz)).data
        heard.append((logits, recogniser.tokenizer.reference(utterance.text or "").text.split()))
    for name, (first, last) in PARTS.items():
        for gap in [None, *arguments.gap]:
            distances = []
            for logits, words in heard:
                whole = starts(recogniser, logits, words, None)
                star = None if gap is None else Star(gap_cost=gap)
                kept = words[first : len(words) - last]
                part = starts(recogniser, logits, kept, star)
                expected = whole[first : len(words) - last]
                distances += np.abs(np.array(part) - np.array(expected)).tolist()
            line = {
                "part": name,
                "gap_cost": gap,
                "words": len(distances),
                "median_ms": round(1000 * float(np.median(distances))),
                "p90_ms": round(1000 * float(np.quantile(distances, 0.9))),
            }
            print(json.dumps(line), flush=True)


def starts(
    recogniser: Recogniser, logits: torch.Tensor, words: list[str], star: Star | None
) -> list[float]:
    """Seconds at which the words begin."""
    labels = recogniser.tokenizer.encode(" ".join(words))
    targets = torch.tensor([labels])
    frames = logits.shape[1]
    (alignment,) = forced_align(logits, targets, [frames], [len(labels)], star=star)
    begins = []
    place = 0
    for word in words:
        begins.append(alignment.tokens[place].start * recogniser.frame_s)
        place += len(recogniser.tokenizer.encode(word)) + 1  # and the space
    return begins


if __name__ == "__main__":
    main()
