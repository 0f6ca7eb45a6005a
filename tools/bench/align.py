"""How far forced alignment by a trained recogniser is from hand-checked word times (GRID's .align files).

python tools/bench/align.py CHECKPOINT $CTCASR_DATA/grid_s1/valid.jsonl
"""

from __future__ import annotations

import sys
from pathlib import Path
from statistics import median

import torch

sys.path.insert(0, str(Path(__file__).parents[2]))

from ctcasr.ctc import forced_align
from ctcasr.data import read_audio, read_manifest
from ctcasr.recognise.recogniser import Recogniser
from ctcasr.seq import Seq

UNITS = 25_000  # of a GRID .align file, in a second


def main(checkpoint: str, manifest: str) -> None:
    """Print the distribution of word-start and word-end errors in milliseconds."""
    recogniser = Recogniser.load_checkpoint(checkpoint)
    starts: list[float] = []
    ends: list[float] = []
    for utterance in read_manifest(manifest).utterances:
        times = word_times(Path(utterance.extra["align_filepath"]))
        samples = Seq.stack([read_audio(utterance, recogniser.rate_hz)], recogniser.rate_hz)
        with torch.no_grad():
            logits = recogniser.logits(samples)
        tokens = recogniser.tokenizer.encode(utterance.text or "")
        (found,) = forced_align(
            logits.data,
            torch.tensor(tokens),
            logits.lengths,
            (len(tokens),),
            blank=recogniser.tokenizer.blank,
        )
        words = recogniser.words(tokens, [(span.start, span.end) for span in found.tokens])
        if [w.text for w in words] != [name for name, _, _ in times]:
            raise ValueError(
                f"{utterance.id}: expected the words {[name for name, _, _ in times]}; aligned {[w.text for w in words]}"
            )
        starts += [
            1000 * (w.start_s - begin) for w, (_, begin, _) in zip(words, times, strict=True)
        ]
        ends += [1000 * (w.end_s - end) for w, (_, _, end) in zip(words, times, strict=True)]
    for name, errors in (("start", starts), ("end", ends)):
        sizes = sorted(map(abs, errors))
        print(
            f"word {name}: median error {median(errors):+.0f} ms, median size {median(sizes):.0f} ms, "
            f"90 % below {sizes[int(0.9 * len(sizes))]:.0f} ms, {len(sizes)} words, frames of {1000 * recogniser.model.frame_s:g} ms"
        )


def word_times(path: Path) -> list[tuple[str, float, float]]:
    """Words with start and end in seconds; silences left out."""
    rows = (line.split() for line in path.read_text(encoding="utf-8").splitlines() if line.strip())
    return [
        (word, int(start) / UNITS, int(end) / UNITS)
        for start, end, word in rows
        if word not in ("sil", "sp")
    ]


if __name__ == "__main__":
    main(*sys.argv[1:3])
