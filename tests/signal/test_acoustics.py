"""Rooms and noise: responses of energy one, convolution against torch's, powers as asked for."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import conv1d

from ctcasr.signal.acoustics import convolve, fast_size, gain_for_snr, room_response


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_a_response_begins_with_its_direct_sound_and_has_energy_one() -> None:
    rir = torch.cat((torch.zeros(30), torch.tensor([-0.8]), 0.1 * noise(200)))
    response = room_response(rir)
    assert len(response) == 201 and float(response[0]) > 0
    assert float(response.square().sum()) == pytest.approx(1.0, abs=1e-6)
    # Neither level, sign nor delay of the measurement matters.
    shifted = torch.cat((torch.zeros(7), -3.0 * rir))
    torch.testing.assert_close(room_response(shifted), response)


def test_only_the_early_part() -> None:
    rir = torch.cat((torch.tensor([1.0]), 0.1 * noise(50)))
    assert torch.equal(room_response(rir, early=9), room_response(rir)[:10])
    assert room_response(rir, early=0).tolist() == [pytest.approx(float(room_response(rir)[0]))]


@pytest.mark.parametrize("silent", [torch.zeros(0), torch.zeros(9)])
def test_a_silent_response_is_refused(silent: Tensor) -> None:
    with pytest.raises(ValueError, match="direct sound"):
        room_response(silent)


@given(st.integers(1, 70), st.integers(1, 40))
def test_convolution_is_what_it_is_sample_by_sample(samples: int, taps: int) -> None:
    sound = noise(2, samples, seed=samples)
    response = noise(taps, seed=taps)
    padded = torch.nn.functional.pad(sound, (taps - 1, 0))
    expected = conv1d(padded[:, None], response.flip(0)[None, None])[:, 0]
    torch.testing.assert_close(convolve(sound, response), expected, atol=1e-4, rtol=1e-4)


def test_each_row_through_its_own_response() -> None:
    sound = noise(2, 300)
    responses = noise(2, 20, seed=1)
    together = convolve(sound, responses)
    for row in range(2):
        torch.testing.assert_close(together[row], convolve(sound[row], responses[row]))


@given(st.integers(1, 10**7))
def test_fast_sizes_are_enough_and_nearly_no_more(least: int) -> None:
    size = fast_size(least)
    odd = size
    while odd % 2 == 0:
        odd //= 2
    assert odd in (1, 3, 5)
    assert least <= size <= max(least + 1, least * 4 / 3)


def test_the_ratio_is_what_was_asked_for() -> None:
    speech = noise(3, 4000)
    other = 5.0 * noise(3, 4000, seed=1)
    snr_db = torch.tensor([-10.0, 0.0, 15.0])
    gain = gain_for_snr(speech.square().mean(1), other.square().mean(1), snr_db)
    added = gain[:, None] * other
    ratios = speech.square().mean(1) / added.square().mean(1)
    torch.testing.assert_close(10 * ratios.log10(), snr_db, atol=1e-3, rtol=0)


def test_silence_on_either_side_gives_no_noise() -> None:
    power = torch.tensor([0.0, 1.0, 0.0])
    gain = gain_for_snr(power, torch.tensor([1.0, 0.0, 0.0]), torch.zeros(3))
    assert gain.tolist() == [0.0, 0.0, 0.0]
    assert not any(math.isnan(value) for value in gain.tolist())
