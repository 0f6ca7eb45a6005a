"""A small untrained recogniser with recordings, as commands take them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from ctcasr import checkpoint
from ctcasr.front import FrontSpec
from ctcasr.recognise.model import build
from ctcasr.recognise.recogniser import Recogniser
from ctcasr.recognise.spec import spec_to
from ctcasr.specs import NetSpec
from ctcasr.text import Alphabet

RATE_HZ = 8000


@pytest.fixture(scope="session")
def recogniser(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained recogniser: what it hears is nonsense, but the same nonsense every time."""
    torch.manual_seed(0)
    alphabet = Alphabet.english38()
    spec = NetSpec(FrontSpec(rate_hz=RATE_HZ, bands=8, n_fft=256), layers=1, hidden=8)
    return checkpoint.save(
        tmp_path_factory.mktemp("recogniser") / "best.pt",
        Recogniser.payload(build(spec, alphabet.size), spec_to(spec), alphabet, {}),
    )


@pytest.fixture
def recordings(tmp_path: Path) -> Path:
    """m.jsonl with three recordings of noise, a.wav, b.wav and c.wav beside it."""
    rng = np.random.default_rng(0)
    lines = []
    for name in "abc":
        soundfile.write(tmp_path / f"{name}.wav", 0.1 * rng.normal(size=RATE_HZ), RATE_HZ)
        lines.append({"audio_filepath": f"{name}.wav", "text": "one two", "duration": 1.0})
    manifest = tmp_path / "m.jsonl"
    manifest.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return manifest
