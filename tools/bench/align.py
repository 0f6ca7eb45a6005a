"""How far forced alignment is from hand-checked word times (GRID's .align files).

python tools/bench/align.py CHECKPOINT $CTCASR_DATA/grid_s1/valid.jsonl
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parents[2]))

from ctcasr.batch import Utterance
from ctcasr.ctc import forced_align
from ctcasr.data import read_audio, read_manifest
from ctcasr.recognise import Word
from ctcasr.recognise.recogniser import Recogniser
from ctcasr.seq import Seq

UNITS_PER_S = 25_000  # of a GRID .align file
SILENCES = ("sil", "sp")


class TimedWord(NamedTuple):
    """A word of a reference, with its start and end in seconds."""

    text: str
    start_s: float
    end_s: float


def main(checkpoint: str, manifest: str) -> None:
    """Print the distribution of word-start and word-end errors in milliseconds."""
    recogniser = Recogniser.load_checkpoint(checkpoint)
    start_errors_ms: list[float] = []
    end_errors_ms: list[float] = []
    for utterance in read_manifest(manifest).utterances:
        reference = read_times(Path(utterance.extra["align_filepath"]))
        words = aligned_words(recogniser, utterance)
        names = [word.text for word in reference]
        if [word.text for word in words] != names:
            raise ValueError(f"{utterance.id}: expected the words {names}; aligned {words}")
        for word, true_word in zip(words, reference, strict=True):
            start_errors_ms.append(1000 * (word.start_s - true_word.start_s))
            end_errors_ms.append(1000 * (word.end_s - true_word.end_s))
    frame_ms = 1000 * recogniser.model.frame_s
    print(f"word start: {summary(start_errors_ms)}, frames of {frame_ms:g} ms")
    print(f"word end: {summary(end_errors_ms)}, frames of {frame_ms:g} ms")


def aligned_words(recogniser: Recogniser, utterance: Utterance) -> Sequence[Word]:
    """The words of an utterance's text where the recogniser puts them."""
    samples = Seq.stack([read_audio(utterance, recogniser.rate_hz)], recogniser.rate_hz)
    with torch.no_grad():
        logits = recogniser.logits(samples)
    tokens = recogniser.tokenizer.encode(utterance.text or "")
    (alignment,) = forced_align(
        logits.data,
        torch.tensor(tokens),
        logits.lengths,
        (len(tokens),),
        blank=recogniser.tokenizer.blank,
    )
    spans = [(span.start, span.end) for span in alignment.tokens]
    return recogniser.words(tokens, spans)


def read_times(path: Path) -> list[TimedWord]:
    """The words of a .align file; silences are left out."""
    words = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.strip():
            start, end, text = line.split()
            if text not in SILENCES:
                words.append(TimedWord(text, int(start) / UNITS_PER_S, int(end) / UNITS_PER_S))
    return words


def summary(errors_ms: list[float]) -> str:
    """Median error, median size and the size that 90 % are below."""
    sizes_ms = [abs(error) for error in errors_ms]
    return (
        f"median error {median(errors_ms):+.0f} ms, median size {median(sizes_ms):.0f} ms, "
        f"90 % below {np.percentile(sizes_ms, 90):.0f} ms, {len(sizes_ms)} words"
    )


if __name__ == "__main__":
    main(*sys.argv[1:3])
