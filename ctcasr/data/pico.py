"""Speech from SVOX Pico (Apache-2.0, the extra `voices`): a British and an American woman.

Its two English voices were made from recordings of people. Pitch stands for the size of the
speaker here, as with Flite; how high the speaker talks, as a man or a woman, is drawn by the seed.
"""

from __future__ import annotations

import os
from random import Random

import numpy as np
import torch
from torch import Tensor

from ctcasr.data.speaker import (
    MIDDLE_PITCH,
    ProcessLock,
    as_another_speaker,
    in_english_letters,
)

RATE_HZ = 16000
USUAL_WPM = {"en-GB": 180, "en-US": 210}  # of its voices, as long sentences come out
_SIZE_A_PITCH = 0.008  # share of speed for each step of pitch: 35 to 65 are 12 % either way
_MELODIES = (0.6, 1.1)  # of the voice's own pitch
_VOLUME = 0.5  # of its own, at which loud vowels are clipped
_FULL_SCALE = 32768
_lock = ProcessLock()
_settled: set[int] = set()  # processes in which it has spoken


def voices() -> list[str]:
    """Its voices."""
    return list(USUAL_WPM)


def speak(
    text: str,
    voice: str = "en-GB",
    rate_wpm: int = 180,
    pitch: int = MIDDLE_PITCH,
    *,
    pitch_range: int = 50,
    seed: int = 0,
) -> tuple[Tensor, int]:
    """Samples [N] float32 in [-1, 1] and their rate in Hz, the same for the same arguments.

    The range of pitch changes nothing.

    Raises:
        ValueError: for an unknown voice.
        ImportError: without py-nanotts.
    """
    if voice not in USUAL_WPM:
        raise ValueError(f"speak: Pico has no voice {voice!r}; it has {', '.join(USUAL_WPM)}")
    try:
        from py_nanotts import NanoTTS
    except ImportError as error:
        raise ImportError("Pico's voices: pip install 'ctcasr[voices]'") from error
    size = 1 + _SIZE_A_PITCH * (pitch - MIDDLE_PITCH)
    said = in_english_letters(text)
    engine = NanoTTS()
    with _lock:
        # Its noise goes on from what was said before, and from nothing in another way: behind a
        # word that is not the first it is ever the same.
        for _ in range(1 if os.getpid() in _settled else 2):
            engine.speak("a", voice=voice)
        _settled.add(os.getpid())
        sound = engine.speak(
            said,
            voice=voice,
            speed=rate_wpm / USUAL_WPM[voice] / size,
            pitch=Random(seed).uniform(*_MELODIES) / size,
            volume=_VOLUME,
        )
    samples = np.frombuffer(sound, np.int16).astype(np.float32) / _FULL_SCALE
    return as_another_speaker(torch.from_numpy(samples), RATE_HZ, size), RATE_HZ
