"""Kaldi's interval and chance of improvement."""

from __future__ import annotations

import numpy as np
import pytest

from ctcasr.scoring.bootci import bootci, improvement
from ctcasr.scoring.bootstrap import Paired


def test_the_half_width_is_that_of_the_ratio_estimator() -> None:
    rng = np.random.default_rng(0)
    words = rng.integers(4, 15, 400).astype(float)
    errors = rng.binomial(words.astype(int), 0.2).astype(float)
    rate = errors.sum() / words.sum()
    residuals = errors - rate * words
    standard_error = np.sqrt((residuals**2).sum()) / words.sum()
    found = bootci(errors, words)
    assert found.mean == pytest.approx(rate, abs=0.0005)
    assert found.half_width == pytest.approx(1.96 * standard_error, rel=0.03)
    low, high = found.interval
    assert low < rate < high


def test_improvement_is_the_share_of_draws_with_fewer_errors() -> None:
    words = np.full(100, 6.0)
    base = np.full(100, 2.0)
    assert improvement(Paired(base, base - 1, words), 1000) == 1.0
    assert improvement(Paired(base, base, words), 1000) == 0.0
    balanced = Paired(base, base + np.tile([1.0, -1.0], 50), words)
    assert 0.4 < improvement(balanced, 2000) < 0.6
