"""Pauses: found where speech rests, at any level, and not where it does not."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from ctcasr.signal.pauses import Cut, find_cut, levels_db

RATE = 8000


def voiced(seconds: float, level: float = 0.1, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return level * torch.randn(round(seconds * RATE), generator=generator)


def recording(background: float, gain: float = 1.0) -> Tensor:
    """Three seconds of speech, a pause of 0.8 s, three more."""
    speech = torch.cat((voiced(3), torch.zeros(round(0.8 * RATE)), voiced(3, seed=1)))
    return gain * (speech + voiced(6.8, background, seed=2))


@pytest.mark.parametrize("gain", [0.001, 1.0])
@pytest.mark.parametrize("background", [0.0, 0.01])
def test_a_cut_lies_in_the_pause_whatever_the_level(background: float, gain: float) -> None:
    cut = find_cut(recording(background, gain), RATE, 2.0, 6.5)
    assert cut.in_pause and 3.1 < cut.sample / RATE < 3.7


def test_a_pause_that_comes_too_early_or_is_none_ends_nothing() -> None:
    early = torch.cat((voiced(0.5), torch.zeros(RATE), voiced(5, seed=1)))
    assert not find_cut(early, RATE, 2.0, 6.0).in_pause
    steady = voiced(7)
    cut = find_cut(steady, RATE, 2.0, 6.0)
    assert not cut.in_pause and 2.0 <= cut.sample / RATE <= 6.0


def test_levels_are_those_of_the_sound() -> None:
    levels = levels_db(torch.full((RATE,), 0.1), RATE)
    torch.testing.assert_close(levels, torch.full((100,), -20.0), rtol=0, atol=1e-3)
    assert float(levels_db(torch.zeros(RATE), RATE).max()) <= -99


@pytest.mark.parametrize("samples", [1, RATE // 100 - 1, RATE // 100])
def test_what_is_shorter_than_a_step_has_one_level(samples: int) -> None:
    torch.testing.assert_close(levels_db(torch.full((samples,), 0.1), RATE), torch.tensor([-20.0]))
    assert find_cut(torch.zeros(samples), RATE, 2.0, 6.0) == Cut(0, in_pause=False)
