"""How well the confidences of words tell right words from wrong ones, and whether they are shares.

python tools/bench/confidence.py runs/mine/best.pt valid.jsonl
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from ctcasr.data import read_manifest
from ctcasr.recognise import Recogniser, evaluate
from ctcasr.word_times.confidence import calibration_error, right_words

BINS = (0.0, 0.5, 0.8, 0.9, 0.95, 0.99, 1.0)


def main() -> None:
    """Transcribe, align, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("checkpoint")
    parser.add_argument("manifest")
    arguments = parser.parse_args()
    recogniser = Recogniser.load(arguments.checkpoint)
    scored = evaluate(recogniser, read_manifest(arguments.manifest).utterances)
    confidences: list[float] = []
    correct: list[bool] = []
    for row in scored.rows:
        confidences += [word.confidence or 0.0 for word in row.hypothesis.words]
        correct += right_words(row.reference, row.hypothesis)
    report(np.array(confidences), np.array(correct))


def area(confidences: Sequence[float], correct: Sequence[bool]) -> float:
    """Share of pairs of a right and a wrong word in which the right one is surer; ties are half."""
    truth = np.asarray(correct)
    right = int(truth.sum())
    wrong = len(truth) - right
    ranks = rankdata(confidences)[truth].sum()
    return float((ranks - right * (right + 1) / 2) / (right * wrong))


def report(confidences: NDArray[np.float64], correct: NDArray[np.bool_]) -> None:
    """The area under the curve, and how many words are right by how sure they are."""
    wrong = int((~correct).sum())
    print(f"{len(correct)} words, {wrong} wrong")
    if 0 < wrong < len(correct):
        print(f"area under the curve: {area(confidences.tolist(), correct.tolist()):.3f}")
    print(f"expected calibration error: {calibration_error(confidences, correct):.3f}")
    for low, high in pairwise(BINS):
        inside = (confidences > low) & (confidences <= high)
        if inside.any():
            share = 100 * correct[inside].mean()
            mean = 100 * confidences[inside].mean()
            print(f"{low} to {high}: {inside.sum()} words, mean {mean:.1f} %, right {share:.1f} %")


if __name__ == "__main__":
    main()
