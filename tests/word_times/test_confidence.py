from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit, logit

from ctcasr.decoding.hypothesis import Hypothesis, Word
from ctcasr.word_times.confidence import (
    LEAST_WRONG,
    Calibration,
    calibration_error,
    fit_calibration,
    right_words,
)


def words(text: str, confidence: float | None = None) -> Hypothesis:
    said = tuple(Word(word, 0.0, 0.1, confidence) for word in text.split())
    return Hypothesis(text, said, (), 0.0)


def test_a_curve_that_is_there_is_found() -> None:
    random = np.random.default_rng(0)
    posteriors = random.uniform(0.3, 0.999, 20_000)
    truth = Calibration(slope=0.6, shift=-0.4)
    right = random.uniform(size=20_000) < expit(-0.4 + 0.6 * logit(posteriors))
    fitted = fit_calibration(posteriors.tolist(), right.tolist())
    assert fitted is not None
    assert fitted.slope == pytest.approx(truth.slope, abs=0.05)
    assert fitted.shift == pytest.approx(truth.shift, abs=0.1)


def test_what_is_calibrated_has_a_small_error_and_the_same_order() -> None:
    random = np.random.default_rng(1)
    posteriors = np.sort(random.uniform(0.3, 1.0, 5000))
    right = random.uniform(size=5000) < posteriors**3
    fitted = fit_calibration(posteriors[::2].tolist(), right[::2].tolist())
    assert fitted is not None
    calibrated = np.array([fitted(posterior) for posterior in posteriors[1::2]])
    assert (np.diff(calibrated) >= 0).all()
    before = calibration_error(posteriors[1::2], right[1::2])
    assert calibration_error(calibrated, right[1::2]) < 0.03 < before


@pytest.mark.parametrize("wrong", [0, LEAST_WRONG - 1])
def test_of_few_errors_nothing_is_fitted(wrong: int) -> None:
    right = [False] * wrong + [True] * 50
    assert fit_calibration([0.9] * len(right), right) is None


def test_posteriors_of_0_and_1_are_no_infinities() -> None:
    calibration = Calibration(slope=1.0, shift=0.0)
    assert 0 < calibration(0.0) < 0.01
    assert 0.99 < calibration(1.0) < 1


def test_confidences_that_were_not_computed_stay_so() -> None:
    calibration = Calibration(slope=0.5, shift=0.0)
    known = calibration.calibrated(words("a b", 0.9))
    unknown = calibration.calibrated(words("a b"))
    assert [word.confidence for word in known.words] == [0.75, 0.75]
    assert [word.confidence for word in unknown.words] == [None, None]


def test_right_words_are_those_of_the_best_alignment() -> None:
    assert right_words("the red fox", words("red box")) == [True, False]
    assert right_words("", words("red")) == [False]
    assert right_words("red", words("")) == []


def test_the_error_of_certainty_that_is_wrong() -> None:
    assert calibration_error(np.ones(4), np.array([True, True, True, False])) == 0.25


@pytest.mark.parametrize("slope", [0.0, 1.0, 100.0, 1e6])
def test_the_steepest_curve_gives_a_probability(slope: float) -> None:
    curve = Calibration(slope, 0.0)
    probabilities = [curve(posterior) for posterior in (0.0, 1e-3, 0.5, 0.9, 1.0)]
    assert probabilities == sorted(probabilities)
    assert probabilities[2] == 0.5 and all(0 <= value <= 1 for value in probabilities)
