"""Confidences of words as probabilities: a curve fitted on recordings that were not learnt from.

Platt (1999): the log-odds of being right are a straight line over the log-odds of the posterior.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ctcasr.decoding.hypothesis import Hypothesis

LEAST_WRONG = 5  # words: with fewer of them there is nothing to fit
_PULL = 1e-3  # words' weight that has the posterior itself
_EDGE = 1e-6  # posteriors nearer to 0 and 1 are rounding


@dataclass(frozen=True)
class Calibration:
    """From the posterior of a word's least certain symbol to the probability that it is right.

    Example:
        >>> Calibration(slope=0.5, shift=0.0)(0.9)
        0.75
    """

    slope: float
    shift: float

    def __call__(self, posterior: float) -> float:
        """The probability that a word of this posterior is right."""
        log_odds = self.shift + self.slope * _log_odds(posterior)
        # exp of what is not above 0 cannot overflow, however steep the curve
        small = math.exp(-abs(log_odds))
        probability = (small if log_odds < 0 else 1.0) / (1 + small)
        return round(probability, 6)

    def calibrated(self, hypothesis: Hypothesis) -> Hypothesis:
        """A hypothesis, and its rivals, with probabilities as confidences."""
        words = []
        for word in hypothesis.words:
            if word.confidence is not None:
                word = replace(word, confidence=self(word.confidence))
            words.append(word)
        others = tuple(self.calibrated(other) for other in hypothesis.others)
        return replace(hypothesis, words=tuple(words), others=others)

    def to_state(self) -> dict[str, Any]:
        """Plain data from which `from_state` makes the same."""
        return {"slope": self.slope, "shift": self.shift}

    @staticmethod
    def from_state(state: Mapping[str, Any]) -> Calibration:
        """What `to_state` gave."""
        return Calibration(float(state["slope"]), float(state["shift"]))


def _log_odds(posterior: float) -> float:
    inside = min(max(posterior, _EDGE), 1 - _EDGE)
    return math.log(inside / (1 - inside))


def fit_calibration(posteriors: Sequence[float], right: Sequence[bool]) -> Calibration | None:
    """The curve that fits words best; None where fewer than LEAST_WRONG are wrong, or right.

    Example:
        >>> round(fit_calibration([0.9] * 100, [True] * 50 + [False] * 50)(0.9), 3)
        0.5
    """
    from scipy.optimize import minimize  # takes a while to load
    from scipy.special import expit, logit

    truth = np.asarray(right, dtype=bool)
    right_count = int(truth.sum())
    wrong_count = len(truth) - right_count
    if min(right_count, wrong_count) < LEAST_WRONG:
        return None
    log_odds = logit(np.clip(np.asarray(posteriors, dtype=float), _EDGE, 1 - _EDGE))
    # Platt's targets: as if one more word of either kind had been seen.
    targets = np.where(truth, (right_count + 1) / (right_count + 2), 1 / (wrong_count + 2))

    def loss(parameters: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        slope, shift = parameters
        scores = shift + slope * log_odds
        nats = np.logaddexp(0, scores) - targets * scores
        errors = expit(scores) - targets
        # A faint pull towards the posterior itself decides where the words do not.
        pull = np.array([slope - 1.0, shift])
        gradient = np.array([errors @ log_odds, errors.sum()]) + _PULL * pull
        return float(nats.sum() + 0.5 * _PULL * (pull @ pull)), gradient

    fitted = minimize(loss, np.array([1.0, 0.0]), jac=True, method="BFGS").x
    return Calibration(max(0.0, float(fitted[0])), float(fitted[1]))


def right_words(reference: str, hypothesis: Hypothesis) -> list[bool]:
    """Of each word of a hypothesis, whether the best alignment has it in the reference."""
    import jiwer  # takes a while to load

    right = [False] * len(hypothesis.words)
    if not right or not reference:
        return right
    text = " ".join(word.text for word in hypothesis.words)
    for chunk in jiwer.process_words(reference, text).alignments[0]:
        if chunk.type == "equal":
            for index in range(chunk.hyp_start_idx, chunk.hyp_end_idx):
                right[index] = True
    return right


def calibration_error(
    confidences: NDArray[np.float64], right: NDArray[np.bool_], bins: int = 10
) -> float:
    """Expected calibration error: over bins of one width, how far confidence and share lie apart.

    Each bin counts by its words (Guo et al. 2017, arXiv 1706.04599).

    Example:
        >>> calibration_error(np.array([0.75, 0.75]), np.array([True, False]))
        0.25
    """
    places = np.minimum((confidences * bins).astype(int), bins - 1)
    gaps = np.bincount(places, confidences - right, bins)
    return float(np.abs(gaps).sum() / len(confidences))
