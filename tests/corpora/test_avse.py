"""Scenes of the AVSE challenge, read as they lie."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ctcasr.compare import read_scenes
from ctcasr.corpora import avse
from tests.fixtures.scene_lists import make


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


@pytest.mark.parametrize(
    ("scene", "message"),
    [
        ({"interferer": "noise.wav"}, "scene S1: expected interferer as an object"),
        ({"target": "a_1"}, "scene S1: expected target as an object"),
        ({"SNR": "n/a"}, "scene S1: SNR: expected a number of dB"),
    ],
)
def test_scenes_that_are_none_are_told(tmp_path: Path, scene: dict[str, str], message: str) -> None:
    (tmp_path / "scenes.json").write_text(json.dumps([{"scene": "S1", **scene}]))
    with pytest.raises(ValueError, match=message):
        avse.utterance_of(tmp_path / "S1_mixed.wav", "S1", avse.find_scenes(tmp_path)["S1"], None)


def test_a_folder_of_texts_that_is_not_there_is_told(sources: Path) -> None:
    make(sources, "dev", "--noise", str(sources / "noise.jsonl"))
    arguments = [str(sources / "dev"), "--out", str(sources / "m.jsonl")]
    with pytest.raises(ValueError, match="--texts nowhere: expected a folder"):
        avse.main([*arguments, "--texts", "nowhere"])
