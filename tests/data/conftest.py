"""A little corpus of noises, written anew for each test."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ctcasr.batch import Utterance

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """write(name, samples=16000, rate_hz=16000, channels=1): a sound file.

    Of 16-bit noise, or of the array given.
    """

    def writer(
        name: str,
        samples: int | np.ndarray = 16000,
        rate_hz: int = 16000,
        channels: int = 1,
        **how: str,
    ) -> Path:
        if isinstance(samples, int):
            random = np.random.default_rng(samples)
            samples = random.integers(-9000, 9000, (samples, channels), dtype=np.int16)
        path = tmp_path / name
        soundfile.write(path, samples, rate_hz, **how)
        return path

    return writer


@pytest.fixture
def utterances(write: Write) -> list[Utterance]:
    """23 utterances of 0.1 to 0.8 s, no two alike, with texts and three speakers."""
    lengths = np.random.default_rng(1).permutation(np.linspace(1600, 12800, 23).astype(int))
    return [
        Utterance(
            write(f"u{i}.wav", int(n)),
            int(n) / 16000,
            f"word {i}",
            speaker=f"s{i % 3}",
            where=f"m.jsonl:{i + 1}",
        )
        for i, n in enumerate(lengths)
    ]
