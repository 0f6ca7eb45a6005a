"""How far the times of words are from hand-checked ones (GRID's .align files).

python tools/bench/align.py CHECKPOINT $CTCASR_DATA/grid_s1/valid.jsonl
python tools/bench/align.py CHECKPOINT $CTCASR_DATA/grid_s1/valid.jsonl --shift-ms 20

Of the words that the recogniser writes, those that are right; and of all words of the texts, as
they are aligned. The shift is added to the times of the files.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import NamedTuple

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parents[2]))

from ctcasr.batch import Utterance
from ctcasr.ctc import forced_align
from ctcasr.data import read_audio, read_manifest
from ctcasr.recognise import Hypothesis, evaluate
from ctcasr.recognise.recogniser import Recogniser
from ctcasr.seq import Seq
from ctcasr.word_times.confidence import right_words

UNITS_PER_S = 25_000  # of a GRID .align file
SILENCES = ("sil", "sp")


class TimedWord(NamedTuple):
    """A word of a reference, with its start and end in seconds."""

    text: str
    start_s: float
    end_s: float


@dataclass
class Errors:
    """Of words, how much too late they begin and end, in milliseconds."""

    starts_ms: list[float] = field(default_factory=list)
    ends_ms: list[float] = field(default_factory=list)

    def add(self, start_s: float, end_s: float, truth: TimedWord) -> None:
        """One more word."""
        self.starts_ms.append(1000 * (start_s - truth.start_s))
        self.ends_ms.append(1000 * (end_s - truth.end_s))

    def report(self, title: str) -> None:
        """Print the distribution of both."""
        print(f"{title}: word start: {summary(self.starts_ms)}")
        print(f"{title}: word end: {summary(self.ends_ms)}")


def main() -> None:
    """Transcribe, align, compare."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("checkpoint")
    parser.add_argument("manifest")
    parser.add_argument("--shift-ms", type=float, default=0.0)
    arguments = parser.parse_args()
    recogniser = Recogniser.load_checkpoint(arguments.checkpoint)
    scored = evaluate(recogniser, read_manifest(arguments.manifest).utterances)
    written = Errors()
    aligned = Errors()
    for row in scored.rows:
        reference = read_times(times_file(row.utterance), arguments.shift_ms / 1000)
        for word, truth in right_pairs(row.hypothesis, row.reference, reference):
            written.add(word.start_s, word.end_s, truth)
        times = aligned_times(recogniser, row.utterance, row.reference)
        for (start_s, end_s), truth in zip(times, reference, strict=True):
            aligned.add(start_s, end_s, truth)
    print(f"WER {scored.tally}")
    written.report("as it writes them, where they are right")
    aligned.report("the text, aligned")


def right_pairs(
    hypothesis: Hypothesis, text: str, reference: Sequence[TimedWord]
) -> Iterator[tuple[TimedWord, TimedWord]]:
    """Right words of a hypothesis, each with that of the reference."""
    texts = [word.text for word in reference]
    if texts != text.split():
        raise ValueError(f"expected the words {text!r}; the times are of {texts}")
    right = right_words(text, hypothesis)
    said = [word for word, is_right in zip(hypothesis.words, right, strict=True) if is_right]
    place = 0
    for word in said:
        while reference[place].text != word.text:
            place += 1
        yield TimedWord(word.text, word.start_s, word.end_s), reference[place]
        place += 1


def aligned_times(
    recogniser: Recogniser, utterance: Utterance, text: str
) -> Sequence[tuple[float, float]]:
    """The words of a text, by the aligner, or by forced alignment where there is none."""
    samples = read_audio(utterance, recogniser.rate_hz)
    aligner = recogniser.word_models.aligner
    if aligner is not None:
        times = aligner.times(samples, text.split())
        if times is None:
            raise ValueError(f"{utterance.id}: expected room for {text!r}; it is too short")
        return times
    with torch.no_grad():
        logits = recogniser.logits(Seq.stack([samples], recogniser.rate_hz))
    tokens = recogniser.tokenizer.encode(text)
    (alignment,) = forced_align(
        logits.data,
        torch.tensor(tokens),
        logits.lengths,
        (len(tokens),),
        blank=recogniser.tokenizer.blank,
    )
    spans = [(span.start, span.end) for span in alignment.tokens]
    return [(word.start_s, word.end_s) for word in recogniser.words(tokens, spans)]


def times_file(utterance: Utterance) -> Path:
    """The .align file of an utterance; ValueError where its line names none."""
    path = utterance.extra.get("align_filepath")
    if not isinstance(path, str):
        raise ValueError(f"{utterance.full_name}: expected align_filepath; the line has none")
    return Path(path)


def read_times(path: Path, shift_s: float = 0.0) -> list[TimedWord]:
    """The words of a .align file; silences are left out."""
    words = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.strip():
            start, end, text = line.split()
            if text not in SILENCES:
                start_s = int(start) / UNITS_PER_S + shift_s
                end_s = int(end) / UNITS_PER_S + shift_s
                words.append(TimedWord(text, start_s, end_s))
    return words


def summary(errors_ms: list[float]) -> str:
    """Median error, median size, the size that 90 % are below, and how many are below 80 ms."""
    if not errors_ms:
        return "0 words"
    sizes_ms = [abs(error) for error in errors_ms]
    below = 100 * sum(size < 80 for size in sizes_ms) / len(sizes_ms)
    return (
        f"median error {median(errors_ms):+.0f} ms, median size {median(sizes_ms):.0f} ms, "
        f"90 % below {np.percentile(sizes_ms, 90):.0f} ms, {below:.1f} % below 80 ms, "
        f"{len(sizes_ms)} words"
    )


if __name__ == "__main__":
    main()
