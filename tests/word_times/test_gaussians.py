from __future__ import annotations

import numpy as np
import pytest

from ctcasr.word_times.aligner import ANYTHING, unit_of
from ctcasr.word_times.gaussians import discriminants, silence_of, sounds_of

RANDOM = np.random.default_rng(0)
UNITS = (ANYTHING, "a", "b", *(unit_of("ab", state) for state in range(4)))


def test_a_state_leans_on_its_letter_and_a_letter_on_all_speech() -> None:
    frames = np.concatenate([np.full((1000, 2), 3.0), np.full((5, 2), -1.0)])
    numbers = np.array([1] * 1000 + [3] * 5)  # many frames of "a", few of the first state of "ab"
    means = sounds_of(frames, numbers, UNITS).means[:, 0]
    assert means[1] == pytest.approx(3.0, abs=0.1)
    assert 2.5 < means[3] < 3.0
    assert means[4] == pytest.approx(means[1], abs=0.1)  # never heard, and an "a" too
    assert means[2] == pytest.approx(0.0)  # a letter that was never heard
    assert means[0] == pytest.approx(0.0)


def test_no_variance_vanishes() -> None:
    sounds = sounds_of(np.full((50, 2), 3.0), np.ones(50, int), UNITS)
    assert (sounds.variances > 0).all()


def test_discriminants_see_what_tells_states_apart() -> None:
    columns = np.repeat([0, 1], 500)
    frames = RANDOM.normal(size=(1000, 3)) * [10.0, 1.0, 1.0]
    frames[:, 1] += 4.0 * columns
    first = discriminants(frames, columns, 2)[:, 0]
    assert abs(first[1]) > 10 * abs(first[0])
    assert abs(first[1]) > 3 * abs(first[2])


def test_silence_has_kinds() -> None:
    frames = np.concatenate([RANDOM.normal(size=(500, 2)), RANDOM.normal(size=(500, 2)) + 20])
    kinds, shares = silence_of(frames)
    assert shares.sum() == pytest.approx(1.0)
    likely = kinds.log_likelihoods(np.array([[0.0, 0.0], [20.0, 20.0], [10.0, 10.0]])).max(1)
    assert min(likely[0], likely[1]) > likely[2] + 10


@pytest.mark.parametrize("count", [0, 10])
def test_of_little_silence_nothing_is_learnt(count: int) -> None:
    kinds, shares = silence_of(np.zeros((count, 3)))
    assert kinds.means.tolist() == [[0.0, 0.0, 0.0]]
    assert shares.tolist() == [1.0]
