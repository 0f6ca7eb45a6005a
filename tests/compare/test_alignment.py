"""Lag and level: exact for whole samples, and nothing is touched where nothing has to be."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ctcasr.compare import align, observation_added
from ctcasr.compare.alignment import delayed, find_lag

RATE_HZ = 8000


def noise(seed: int, count: int = 4000) -> torch.Tensor:
    return torch.randn(count, generator=torch.Generator().manual_seed(seed))


@given(st.integers(-400, 400), st.floats(0.05, 20), st.booleans(), st.integers(0, 5))
def test_a_moved_and_rescaled_copy_is_put_right(
    by: int, gain: float, inverted: bool, seed: int
) -> None:
    sound = torch.cat([torch.zeros(400), noise(seed), torch.zeros(400)])
    factor = -gain if inverted else gain
    found = align(sound, delayed(sound, by) * factor, RATE_HZ)
    assert found.lag == by
    assert found.gain == pytest.approx(1 / factor, rel=1e-3) or found.gain == 1.0
    assert torch.allclose(
        found.samples[400:-400], sound[400:-400], atol=1e-3
    )  # what moved out of the file is gone


@pytest.mark.parametrize("gain", [1.0, 1 + 5e-5, 1 - 5e-5])
def test_the_identity_is_untouched_to_the_bit(gain: float) -> None:
    sound = noise(0)
    found = align(sound, sound * gain, RATE_HZ)
    assert found.untouched
    assert torch.equal(found.samples, sound * gain)


def test_clean_speech_far_below_the_noise_stays_in_time() -> None:
    lags = []
    for seed in range(30):
        clean = noise(seed)
        noisy = clean + 30 * torch.sin(torch.arange(4000) * 0.3 + seed) * noise(100 + seed).abs()
        lags.append(align(noisy, clean, RATE_HZ, clean).lag)
    assert lags == [0] * 30


def test_silence_stays_silence() -> None:
    found = align(noise(0), torch.zeros(3000), RATE_HZ)
    assert found.untouched and found.samples.shape == (4000,) and not found.samples.any()


def test_a_longer_delay_than_is_looked_for_is_not_found() -> None:
    sound = noise(3)
    assert find_lag(sound, delayed(sound, 500), 400).samples != 500
    assert find_lag(sound, delayed(sound, 500), 500).samples == 500


@given(st.floats(0, 1))
def test_observation_adding_is_linear_and_exact_at_its_ends(share: float) -> None:
    enhanced, noisy = noise(1), noise(2)
    mixed = observation_added(enhanced, noisy, share)
    assert torch.allclose(mixed, enhanced + share * (noisy - enhanced), atol=1e-5)
    assert torch.equal(observation_added(enhanced, noisy, 0.0), enhanced)
    assert torch.equal(observation_added(enhanced, noisy, 1.0), noisy)


@given(st.integers(1, 400))
def test_what_a_delay_pushed_out_is_continued_and_not_silent(by: int) -> None:
    sound = noise(5)
    found = align(sound, delayed(sound, by)[:4000], RATE_HZ)
    assert found.lag == by and torch.equal(found.samples[: 4000 - by], sound[: 4000 - by])
    assert torch.equal(found.samples[4000 - by :], sound[4000 - 2 * by : 4000 - by].flip(0))
    early = align(sound, sound[by:], RATE_HZ)
    assert (
        early.lag == -by
        and torch.equal(early.samples[by:], sound[by:])
        and torch.equal(early.samples[:by], sound[by : 2 * by].flip(0))
    )


def test_much_that_is_missing_is_silence() -> None:
    found = align(noise(6), noise(6)[:3000], RATE_HZ)
    assert found.untouched and not found.samples[3000:].any()
