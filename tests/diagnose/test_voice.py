"""Pitch, silence and activity of sounds that are known."""

from __future__ import annotations

import math

import pytest
import torch

from ctcasr.diagnose.voice import voice_stats
from ctcasr.seq import Seq

RATE_HZ = 16000


def buzz(pitch_hz: float, seconds: float = 1.0) -> torch.Tensor:
    """A voice of eight harmonics."""
    time = torch.arange(round(seconds * RATE_HZ)) / RATE_HZ
    return sum(torch.sin(2 * math.pi * pitch_hz * k * time) / k for k in range(1, 9)) * 0.1


@pytest.mark.parametrize("pitch_hz", [80, 120, 250, 400])
def test_the_pitch_of_a_voice(pitch_hz: float) -> None:
    stats = voice_stats(Seq.stack([buzz(pitch_hz), buzz(pitch_hz, 0.5)], RATE_HZ))
    assert stats.pitch_hz == pytest.approx(pitch_hz, rel=0.03)
    assert stats.active_s == pytest.approx(0.75, abs=0.06)


def test_noise_has_no_pitch_and_silence_is_silent() -> None:
    noise = 0.1 * torch.randn(RATE_HZ, generator=torch.Generator().manual_seed(0))
    stats = voice_stats(Seq.stack([noise, torch.zeros(RATE_HZ)], RATE_HZ))
    assert math.isnan(stats.pitch_hz) and stats.silent == 0.5


def test_what_is_shorter_than_a_frame_is_active_and_has_no_pitch() -> None:
    stats = voice_stats(Seq.stack([buzz(100, 0.01)], RATE_HZ))
    assert math.isnan(stats.pitch_hz) and stats.active_s == pytest.approx(0.01)


def test_a_recording_read_twice_too_fast_is_an_octave_higher() -> None:
    slow = voice_stats(Seq.stack([buzz(150)], RATE_HZ)).pitch_hz
    fast = voice_stats(Seq.stack([buzz(150)], 2 * RATE_HZ)).pitch_hz
    assert fast == pytest.approx(2 * slow, rel=0.05)
