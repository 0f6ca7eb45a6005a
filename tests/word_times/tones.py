"""Words made of tones, said at known times: what an aligner is tried on."""

from __future__ import annotations

import math
from random import Random
from typing import NamedTuple

import torch
from torch import Tensor

RATE = 16000
TONES_HZ = {"low": (300.0, 500.0), "high": (3000.0, 2200.0), "rise": (900.0, 1600.0)}
_WORD_S = (0.2, 0.4)
_PAUSE_S = (0.15, 0.4)


class Said(NamedTuple):
    """Samples [N], the words in them, and start and end of each in seconds."""

    samples: Tensor
    words: list[str]
    times: list[tuple[float, float]]


def say(seed: int, count: int = 4, joined: bool = False) -> Said:
    """Random words with pauses between them, or `joined` without, over a faint noise."""
    draw = Random(seed)
    parts = [torch.zeros(_samples(draw.uniform(*_PAUSE_S)))]
    words = []
    times = []
    for place in range(count):
        choices = [word for word in sorted(TONES_HZ) if not words or word != words[-1]]
        word = draw.choice(choices)
        start = sum(len(part) for part in parts)
        for tone_hz in TONES_HZ[word]:
            steps = torch.arange(_samples(draw.uniform(*_WORD_S) / 2))
            parts.append(0.3 * torch.sin(2 * math.pi * tone_hz * steps / RATE))
        end = sum(len(part) for part in parts)
        words.append(word)
        times.append((start / RATE, end / RATE))
        if not joined or place == count - 1:
            parts.append(torch.zeros(_samples(draw.uniform(*_PAUSE_S))))
    samples = torch.cat(parts)
    generator = torch.Generator().manual_seed(seed)
    return Said(samples + 0.003 * torch.randn(len(samples), generator=generator), words, times)


def _samples(seconds: float) -> int:
    return round(seconds * RATE)
