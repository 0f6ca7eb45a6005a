"""Scenes of the AVSE challenge, read as they lie."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from ctcasr.compare import read_scenes
from ctcasr.corpora import avse
from ctcasr.corpora import scenes as scene_lists


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


def make(sources: Path, out: str, *flags: str) -> list[dict[str, Any]]:
    arguments = [
        "--speech",
        str(sources / "speech.jsonl"),
        "--rate-hz",
        "8000",
        "--out",
        str(sources / out),
        *flags,
    ]
    assert scene_lists.main(arguments) == 0
    return [
        json.loads(line)
        for line in (sources / out / "SCENES.jsonl").read_text(encoding="utf-8").splitlines()
    ]


def test_scenes_as_they_were_made_are_read_as_those_of_the_challenge(sources: Path) -> None:
    lines = make(
        sources,
        "dev",
        "--noise",
        str(sources / "noise.jsonl"),
        "--talkers",
        str(sources / "talkers.jsonl"),
    )
    texts = sources / "texts"
    texts.mkdir()
    for line in lines:
        (texts / f"{line['source']}.txt").write_text(
            f"Text: {line['text']}\nConf: 4\n", encoding="utf-8"
        )
    assert (
        avse.main(
            [str(sources / "dev"), "--out", str(sources / "avse.jsonl"), "--texts", str(texts)]
        )
        == 0
    )
    scenes, skipped = read_scenes(sources / "avse.jsonl")
    assert not skipped
    for scene, line in zip(scenes, lines, strict=True):
        assert (scene.text, scene.snr_db, scene.source) == (
            line["text"],
            line["snr_db"],
            line["source"],
        )
        assert scene.stratum("interferer") == line["interferer"]
        assert scene.clean is not None and scene.clean.is_file()
