"""Mixtures: the SNR that was asked for, in a room or not, and never beyond full scale."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from ctcasr.data import mix, reverberate


def noise(count: int, seed: int) -> Tensor:
    return 0.1 * torch.randn(count, generator=torch.Generator().manual_seed(seed))


def response(count: int = 3000) -> Tensor:
    fall = torch.exp(-torch.arange(count) / 500.0)
    room = 0.2 * torch.randn(count, generator=torch.Generator().manual_seed(9)) * fall
    room[:40] = 0
    room[40] = 1.0
    return room


@pytest.mark.parametrize("snr_db", [-15.0, 0.0, 12.5])
@pytest.mark.parametrize("room", [False, True])
def test_the_powers_are_so_far_apart(snr_db: float, room: bool) -> None:
    found = mix(noise(16000, 1), noise(16000, 2), snr_db, rir=response() if room else None)
    speech = found.noisy - found.interferer
    ratio = 10 * math.log10(float(speech.square().mean() / found.interferer.square().mean()))
    assert ratio == pytest.approx(snr_db, abs=1e-2)
    assert found.noisy.shape == found.clean.shape == (16000,)


def test_nothing_exceeds_full_scale_and_all_is_scaled_alike() -> None:
    speech = noise(8000, 1) * 5
    found = mix(speech, noise(8000, 2), -10.0)
    assert float(found.noisy.abs().max()) <= 1.0 and found.scale < 1
    torch.testing.assert_close(found.clean, speech * found.scale)


def test_without_a_room_the_target_is_the_speech() -> None:
    speech = noise(4000, 1)
    found = mix(speech, noise(4000, 2), 20.0)
    assert found.scale == 1.0 and torch.equal(found.clean, speech)


def test_a_room_keeps_time_and_its_early_part_is_nearer_to_the_dry_sound() -> None:
    speech = noise(8000, 1)

    def likeness(a: Tensor) -> float:
        return float(torch.nn.functional.cosine_similarity(a, speech, 0))

    whole, early = reverberate(speech, response()), reverberate(speech, response(), 100)
    assert 1 > likeness(early) > likeness(whole) > 0.2
    direct = torch.zeros(50)
    direct[30] = -0.5  # delay, level and sign of the direct sound are taken off
    torch.testing.assert_close(reverberate(speech, direct), speech, atol=1e-6, rtol=1e-4)


def test_what_cannot_be_mixed_is_refused() -> None:
    with pytest.raises(ValueError, match="one shape"):
        mix(noise(10, 1), noise(11, 1), 0.0)
    with pytest.raises(ValueError, match="interferer is silent"):
        mix(noise(10, 1), torch.zeros(10), 0.0)
    with pytest.raises(ValueError, match="room response"):
        mix(noise(10, 1), noise(10, 2), 0.0, rir=torch.zeros(5))
