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
    manifest = read_manifest(arguments.manifest)
    evaluation = evaluate(recogniser, manifest.utterances)
    confidences: list[float] = []
    correct: list[bool] = []
    for row in evaluation.rows:
        for word in row.hypothesis.words:
            confidences.append(word.confidence or 0.0)
        correct += right_words(row.reference, row.hypothesis)
    report(np.array(confidences), np.array(correct))


def area(confidences: Sequence[float], correct: Sequence[bool]) -> float:
    """Share of pairs of a right and a wrong word in which the right one is surer; ties are half."""
    is_right = np.asarray(correct)
    right = int(is_right.sum())
    wrong = len(is_right) - right
    ranks = rankdata(confidences)
    rank_sum = ranks[is_right].sum()
    least_rank_sum = right * (right + 1) / 2  # where every wrong word is surer
    pairs_in_order = rank_sum - least_rank_sum
    return float(pairs_in_order / (right * wrong))


def report(confidences: NDArray[np.float64], correct: NDArray[np.bool_]) -> None:
    """The area under the curve, and how many words are right by how sure they are."""
    words = len(correct)
    right = int(correct.sum())
    print(f"{words} words, {words - right} wrong")
    if 0 < right < words:
        under_curve = area(confidences.tolist(), correct.tolist())
        print(f"area under the curve: {under_curve:.3f}")
    error = calibration_error(confidences, correct)
    print(f"expected calibration error: {error:.3f}")
    for low, high in pairwise(BINS):
        report_bin(confidences, correct, low, high)


def report_bin(
    confidences: NDArray[np.float64], correct: NDArray[np.bool_], low: float, high: float
) -> None:
    """Of words that are so sure: how many they are, their mean, and how many are right."""
    inside = (confidences > low) & (confidences <= high)
    words = int(inside.sum())
    if words:
        mean = 100 * confidences[inside].mean()
        share = 100 * correct[inside].mean()
        print(f"{low} to {high}: {words} words, mean {mean:.1f} %, right {share:.1f} %")


if __name__ == "__main__":
    main()
