"""A corpus of tones on disk, and the flags of a network that trains in no time."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import soundfile
import torch

from ctcasr.commands.train import load_recipe

RATE = 8000
HERTZ = {"a": 500, "b": 1100, "c": 2300, " ": 0}
NET = """
layers = 1
hidden = 8
conv = [{channels = 2, kernel = [3, 3], stride = [2, 2]}]
[front]
rate_hz = 8000
bands = 20
n_fft = 256
"""


@dataclass(frozen=True)
class Tones:
    """Where things lie."""

    folder: Path
    train: Path
    valid: Path
    net: Path

    def flags(self, out: Path, *more: str) -> list[str]:
        """A short run: 4 batches an epoch, two epochs."""
        return [
            "--train",
            str(self.train),
            "--net",
            str(self.net),
            "--out",
            str(out),
            "--epochs",
            "2",
            "--batch-size",
            "4",
            "--dev-share",
            "0.2",
            "--device",
            "cpu",
            "--log-every",
            "1",
            "--workers",
            "0",
            *more,
        ]


def sound(text: str, seed: int) -> torch.Tensor:
    """Each letter a tone of 0.12 s."""
    time, window = torch.arange(960) / RATE, torch.hann_window(960)
    clean = torch.cat([torch.sin(2 * math.pi * HERTZ[letter] * time) * window for letter in text])
    return 0.3 * clean + 0.01 * torch.randn(
        len(clean), generator=torch.Generator().manual_seed(seed)
    )


@pytest.fixture(scope="session")
def tones(tmp_path_factory: pytest.TempPathFactory) -> Tones:
    folder, draw = tmp_path_factory.mktemp("corpus"), torch.Generator().manual_seed(0)
    lines: list[dict[str, Any]] = []
    for index in range(26):
        text = "".join("abc"[int(k)] for k in torch.randint(3, (3,), generator=draw)) + (
            " ab" if index % 2 else ""
        )
        soundfile.write(
            folder / f"tone{index:02d}.wav", sound(text, index).numpy(), RATE, subtype="PCM_16"
        )
        lines.append(
            {
                "audio_filepath": f"tone{index:02d}.wav",
                "duration": 0.12 * len(text),
                "text": text,
                "speaker": f"generator {index % 2}",
            }
        )
    (folder / "net.toml").write_text(NET, encoding="utf-8")
    for name, part in (("train", lines[:20]), ("valid", lines[20:])):
        (folder / f"{name}.jsonl").write_text(
            "".join(json.dumps(line) + "\n" for line in part), encoding="utf-8"
        )
    return Tones(folder, folder / "train.jsonl", folder / "valid.jsonl", folder / "net.toml")


@pytest.fixture(scope="session")
def recognise() -> ModuleType:
    return load_recipe("recognise")


@pytest.fixture(scope="session")
def trained(tones: Tones, recognise: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run directory of the whole recipe."""
    out = tmp_path_factory.mktemp("run") / "new"
    recognise.main(tones.flags(out, "--valid", str(tones.valid)))
    return out


@pytest.fixture(scope="session")
def make_sound() -> Callable[[str, int], torch.Tensor]:
    return sound
