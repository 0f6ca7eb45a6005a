"""Resampling: torchaudio's numbers where it loads, and what a good resampler does."""

from __future__ import annotations

import math
from itertools import product

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from ctcasr.signal import Resample
from tests.fixtures.peers import torchaudio_module

RATES = (8000, 11025, 16000, 22050, 24000, 32000, 44100, 48000)
MARGIN = 200  # samples at either end, where there is nothing to interpolate


def noise(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def tone(frequency_hz: float, rate_hz: int, seconds: float = 0.5) -> Tensor:
    steps = torch.arange(round(seconds * rate_hz), dtype=torch.float64)
    return torch.sin(2 * math.pi * frequency_hz * steps / rate_hz).float()


def test_torchaudio_gives_the_same_to_the_bit() -> None:
    transforms = torchaudio_module("torchaudio.transforms")
    for from_hz, to_hz in product(RATES, RATES):
        peer = transforms.Resample(from_hz, to_hz)
        for shape in ((1,), (3, 1000), (2, 2, 777)):
            ours = Resample(from_hz, to_hz)(noise(*shape))
            assert torch.equal(ours, peer(noise(*shape))), (from_hz, to_hz, shape)


@given(st.sampled_from(RATES), st.sampled_from(RATES), st.integers(0, 3000))
def test_as_long_as_the_sound_was(from_hz: int, to_hz: int, count: int) -> None:
    resampled = Resample(from_hz, to_hz)(torch.zeros(2, count))
    assert resampled.shape == (2, math.ceil(count * to_hz / from_hz))


@pytest.mark.parametrize(("from_hz", "to_hz"), [(16000, 44100), (48000, 16000), (8000, 16000)])
def test_a_tone_stays_the_same_tone(from_hz: int, to_hz: int) -> None:
    resampled = Resample(from_hz, to_hz)(tone(440.0, from_hz))
    inner = slice(MARGIN, -MARGIN)
    expected = tone(440.0, to_hz)
    torch.testing.assert_close(resampled[inner], expected[inner], atol=5e-3, rtol=0)


def test_what_the_lower_rate_cannot_hold_is_taken_away() -> None:
    too_high = Resample(48000, 16000)(tone(11000.0, 48000))
    assert float(too_high[MARGIN:-MARGIN].abs().max()) < 0.01


def test_rows_are_resampled_alone_and_derivatives_pass() -> None:
    resample = Resample(22050, 16000)
    sound = noise(2, 3, 400).double().requires_grad_()
    together = resample(sound)
    assert together.dtype == torch.float64 and together.shape == (2, 3, 291)
    torch.testing.assert_close(together[1, 2], resample(sound[1, 2]))
    together.square().sum().backward()
    assert bool(sound.grad.abs().sum(2).all())


def test_a_long_sound_keeps_its_last_sample() -> None:
    # In single precision, ceil(9000000.33) would be 9000000.
    assert Resample(3, 1)(torch.zeros(27_000_001)).shape == (9_000_001,)


def test_the_same_rate_changes_nothing() -> None:
    sound = noise(50)
    assert torch.equal(Resample(16000, 16000)(sound), sound)


def test_what_cannot_be_resampled_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1 Hz; got 0 and 16000"):
        Resample(0, 16000)
    with pytest.raises(TypeError, match=r"floating point numbers; got torch\.int16"):
        Resample(8000, 16000)(torch.zeros(9, dtype=torch.int16))
