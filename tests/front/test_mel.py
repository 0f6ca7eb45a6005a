"""Mel filters: torchaudio's numbers where it loads, and triangles that add up to one."""

from __future__ import annotations

import pytest
import torch

from ctcasr.front.mel import mel_filters
from tests.fixtures.peers import torchaudio_module

SETTINGS = [
    (257, 20.0, 8000.0, 80, 16000),
    (257, 0.0, 8000.0, 40, 16000),
    (257, 20.0, 6000.0, 20, 16000),
    (129, 50.0, 3500.0, 30, 8000),
    (513, 20.0, 5512.5, 64, 11025),
    (1025, 0.0, 11025.0, 128, 22050),
]


@pytest.mark.filterwarnings("ignore:At least one mel filterbank")
def test_torchaudio_gives_the_same_to_the_bit() -> None:
    functional = torchaudio_module("torchaudio.functional")
    for setting in SETTINGS:
        assert torch.equal(mel_filters(*setting), functional.melscale_fbanks(*setting)), setting


@pytest.mark.parametrize("setting", SETTINGS)
def test_triangles_overlap_by_half(setting: tuple[int, float, float, int, int]) -> None:
    bins, low_hz, high_hz, bands, rate_hz = setting
    filters = mel_filters(*setting)
    assert filters.shape == (bins, bands) and bool((filters >= 0).all())
    frequency_hz = torch.linspace(0, rate_hz // 2, bins)
    outside = (frequency_hz < low_hz) | (frequency_hz > high_hz)
    assert not bool(filters[outside].any())
    # Between the middle of the first band and that of the last each bin counts once.
    mels = 2595 * torch.log10(1 + torch.tensor([low_hz, high_hz]) / 700)
    first, last = (mels[0] + (mels[1] - mels[0]) * place / (bands + 1) for place in (1, bands))
    bin_mels = 2595 * torch.log10(1 + frequency_hz / 700)
    inner = (bin_mels > first + 1) & (bin_mels < last - 1)
    sums = filters[inner].sum(1)
    torch.testing.assert_close(sums, torch.ones_like(sums), atol=2e-3, rtol=0)


def test_a_band_without_a_bin_is_zero() -> None:
    filters = mel_filters(bins=65, low_hz=0.0, high_hz=4000.0, bands=80, rate_hz=8000)
    assert bool((filters == 0).all(dim=0).any())
