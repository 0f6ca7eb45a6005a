"""Corpora, prepared as a shell would."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from ctcasr.cli import main


@pytest.fixture
def run() -> Callable[..., int]:
    """run("csv", *arguments): the exit status of `ctcasr prepare csv`."""

    def runner(name: str, *arguments: object) -> int:
        words = [str(argument) for argument in arguments]
        return main(["prepare", name.replace("_", "-"), *words])

    return runner


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """Manifests speech.jsonl (6, one with a video), noise, talkers (2) and rooms in a folder."""
    rng = np.random.default_rng(0)

    def write(
        name: str, count: int, seconds: float, extra: Callable[[int], dict[str, Any]]
    ) -> None:
        lines = []
        for i in range(count):
            soundfile.write(
                tmp_path / f"{name}{i}.wav", 0.1 * rng.normal(size=round(8000 * seconds)), 8000
            )
            lines.append(json.dumps({"audio_filepath": f"{name}{i}.wav", **extra(i)}))
        (tmp_path / f"{name}.jsonl").write_text("\n".join(lines), encoding="utf-8")

    (tmp_path / "face.mp4").write_bytes(b"frames")
    write(
        "speech",
        6,
        0.5,
        lambda i: (
            {"text": f"word {i}", "speaker": "s1"}
            | ({"video_filepath": "face.mp4"} if i == 2 else {})
        ),
    )
    write("noise", 4, 0.8, lambda i: {"label": ("rain", "wind", "tap", "tap")[i]})
    write("talkers", 2, 0.3, lambda i: {"speaker": ("s1", "s2")[i]})
    write("rooms", 1, 0.1, lambda i: {})
    return tmp_path
