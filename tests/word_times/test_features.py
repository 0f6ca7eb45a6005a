from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.fft import dct

from ctcasr.word_times.features import (
    BESIDE,
    CEPSTRA,
    AlignerFeatures,
    cosines,
    slopes,
    speech_bounds,
    spliced,
)
from tests.word_times.tones import RATE, say


def test_cosines_are_the_transform_of_scipy() -> None:
    bands = np.random.default_rng(0).normal(size=(5, 40))
    assert np.allclose(bands @ cosines(), dct(bands, axis=1, norm="ortho")[:, :CEPSTRA])


def test_neighbours_lie_in_order() -> None:
    cepstra = np.arange(20.0)[:, None] * np.ones(CEPSTRA)
    middle = spliced(cepstra)[10].reshape(2 * BESIDE + 1, CEPSTRA)
    assert middle[:, 0].tolist() == list(range(10 - BESIDE, 11 + BESIDE))


def test_slopes_of_a_parabola() -> None:
    steps = np.arange(30.0)
    cepstra = (steps**2)[:, None] * np.ones(CEPSTRA)
    seen = (spliced(cepstra) @ slopes())[15].reshape(3, CEPSTRA)
    assert seen[:, 0].tolist() == pytest.approx([225.0, 30.0, 2.0])


def test_level_changes_nothing() -> None:
    samples = say(0).samples
    loud = AlignerFeatures(RATE)(samples)
    quiet = AlignerFeatures(RATE)(0.01 * samples)
    assert np.allclose(loud.spliced, quiet.spliced, atol=1e-3)
    assert loud.speech == quiet.speech


def test_a_click_is_no_speech() -> None:
    loudness = np.zeros(200)
    loudness[20:23] = 9.0
    loudness[80:150] = 8.0
    first, end = speech_bounds(loudness)
    assert 75 <= first <= 80
    assert 150 <= end <= 155


def test_where_all_is_equally_loud_all_is_speech() -> None:
    assert speech_bounds(np.zeros(50)) == (0, 50)
    assert AlignerFeatures(RATE)(torch.zeros(RATE)).speech == (0, 101)
