"""Little corpora of made-up sound, healthy ones and ones with planted defects."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from ctcasr.build import SpeechModel, build
from ctcasr.spec import read_spec
from ctcasr.text import Alphabet

RATE = 16000
WORDS = [a + b + c for a in ("ba", "do", "ki", "lu", "me") for b in ("ra", "si", "to", "ve") for c in ("n", "l", "st", "rk")]


def babble(seconds: float, seed: int, rate_hz: int = RATE) -> np.ndarray[Any, Any]:
    """Noise that comes and goes like syllables, peak about 0.4, float32."""
    random = np.random.default_rng(seed)
    count = round(seconds * rate_hz)
    swell = 0.05 + np.abs(np.sin(np.arange(count) * (2 * np.pi * 4 / rate_hz) + random.uniform(0, 6)))
    return (0.1 * swell * np.clip(random.standard_normal(count), -3.9, 3.9)).astype(np.float32)


class Folder:
    """A folder to which lines of a manifest and their sound are added; the texts of the healthy lines are all different."""

    def __init__(self, path: Path) -> None:
        self.path, self.lines = path, list[str]()
        path.mkdir(parents=True, exist_ok=True)

    def add(self, samples: np.ndarray[Any, Any] | None = None, text: str | None = "", rate_hz: int = RATE, **keys: Any) -> int:
        """One more line, healthy but for what is said; its number."""
        number = len(self.lines) + 1
        random = np.random.default_rng(1000 + number)
        if text == "":
            text = " ".join(random.choice(WORDS, 4)) + f" x{number}".translate(str.maketrans("0123456789", "abcdefghij"))
        samples = babble(2.0, number, rate_hz) if samples is None else samples
        name = f"u{number}.wav"
        soundfile.write(self.path / name, samples, rate_hz, subtype="FLOAT" if samples.dtype == np.float32 else "PCM_16")
        line = {"audio_filepath": name, "duration": len(samples) / rate_hz, "text": text, "speaker": f"s{number % 7}", **keys}
        self.lines.append(json.dumps({key: value for key, value in line.items() if value is not None}))
        return number

    def raw(self, line: str) -> int:
        """A line as it is."""
        self.lines.append(line)
        return len(self.lines)

    def write(self, name: str = "train.jsonl") -> Path:
        """The manifest."""
        path = self.path / name
        path.write_text("\n".join(self.lines) + "\n", encoding="utf-8")
        return path


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


@pytest.fixture
def healthy(tmp_path: Path) -> Callable[..., Folder]:
    """healthy(count=30, name="."): a folder with so many sound lines."""

    def make(count: int = 30, name: str = ".") -> Folder:
        made = Folder(tmp_path / name)
        for _ in range(count):
            made.add()
        return made

    return make


@pytest.fixture(scope="session")
def model() -> SpeechModel:
    return build(read_spec("default"), Alphabet.english38().size)


@pytest.fixture(scope="session")
def tokenizer() -> Alphabet:
    return Alphabet.english38()


@pytest.fixture(scope="session")
def make_babble() -> Callable[..., np.ndarray[Any, Any]]:
    return babble
