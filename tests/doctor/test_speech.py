"""What a recording sounds like, in numbers."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ctcasr.doctor.speech import RATE_HZ, SpeechStats, speech_stats


def noise(seconds: float, seed: int = 0) -> Tensor:
    return 0.1 * torch.randn(
        round(seconds * RATE_HZ), generator=torch.Generator().manual_seed(seed)
    )


def buzz(hz: float, seconds: float = 2.0) -> Tensor:
    """A voice of sorts: harmonics of a pitch, half a second on and half a second off."""
    at = torch.arange(round(seconds * RATE_HZ)) / RATE_HZ
    harmonics = [torch.sin(2 * torch.pi * number * hz * at) / number for number in range(1, 20)]
    on = (at % 1.0 < 0.5).float()
    return 0.1 * torch.stack(harmonics).sum(0) * on + 1e-4 * noise(seconds)


def of(samples: Tensor) -> SpeechStats:
    stats = speech_stats(samples, samples)
    assert stats is not None
    return stats


def test_silence_and_moments_tell_nothing() -> None:
    assert speech_stats(torch.zeros(RATE_HZ), torch.zeros(RATE_HZ)) is None
    assert speech_stats(noise(0.1), noise(0.1)) is None


def test_pitch_pauses_and_what_has_none() -> None:
    voice = of(buzz(150.0))
    assert abs(voice.pitch - math.log2(1.5)) < 0.05 and voice.voiced > 0.9
    assert 0.4 < voice.pauses < 0.6
    hiss = of(noise(2.0))
    assert hiss.voiced < 0.1 and hiss.pauses == 0.0
    assert hiss.flatness > voice.flatness


def test_an_echo_is_found_where_it_is() -> None:
    sound = noise(2.0)
    late = torch.zeros_like(sound)
    late[4000:] = sound[:-4000]
    echoed = of(sound + 0.6 * late)
    assert echoed.echo > 3 * of(sound).echo and abs(echoed.echo_s - 0.25) < 0.001


def test_tones_zeros_steps_and_clicks() -> None:
    sound = noise(2.0)
    beep = sound.clone()
    beep[8000:14400] = 0.5 * torch.sin(torch.arange(6400) * 2 * torch.pi * 1000 / RATE_HZ)
    assert of(beep).tone_s > 0.3 and of(sound).tone_s < 0.1
    gone = sound.clone()
    gone[16000:] = 0.0
    assert of(gone).zeros == 0.5 and of(sound).zeros == 0.0
    assert of((sound * 128).round() / 128).step == 256.0
    clicking = buzz(150.0)
    clicking[::3200] = 0.9
    assert of(clicking).clicks > 4 > of(buzz(150.0)).clicks


def test_time_that_runs_backwards_rises_slowly() -> None:
    at = torch.arange(2 * RATE_HZ) / RATE_HZ
    falling = noise(2.0) * torch.exp(-8 * (at % 0.5))
    assert of(falling).attack > 0 > of(falling.flip(0)).attack


def test_of_a_long_recording_the_middle_is_measured() -> None:
    minute = buzz(120, 60.0)
    silence = torch.zeros(30 * RATE_HZ)
    assert of(torch.cat([silence, minute, silence])) == of(minute)
