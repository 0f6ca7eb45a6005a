"""Recognisers of this library as judges: who may, and what is known of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from ctcasr.compare.judge import JudgeError
from ctcasr.compare.own_judge import OwnJudge
from ctcasr.data import read_manifest
from ctcasr.data.provenance import fingerprint, provenance_of
from ctcasr.data.sidecar import ENHANCED_BY

Make = Callable[..., Path]


def test_a_recogniser_that_was_trained_on_enhanced_files_is_refused(
    world: Make, enhanced: Make, recogniser: Callable[..., Path]
) -> None:
    scenes = world(4)
    folder = enhanced(scenes)
    (folder / ENHANCED_BY).write_text("{}", encoding="utf-8")
    lines = [{"audio_filepath": path.name, "text": "one"} for path in sorted(folder.glob("*.wav"))]
    (folder / "train.jsonl").write_text(
        "".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8"
    )
    notes = provenance_of(read_manifest(folder / "train.jsonl").utterances)
    assert notes["enhanced"] == 4
    with pytest.raises(JudgeError, match="never trained on enhanced speech; 4 of"):
        OwnJudge.load(recogniser({"heard": notes}))


def test_also_where_nothing_beside_the_files_told_so(
    world: Make, enhanced: Make, recogniser: Callable[..., Path], score: Any
) -> None:
    scenes = world(4)
    folder = enhanced(scenes)
    notes = {"files": [fingerprint(next(folder.glob("*.wav")))], "enhanced": 0}
    with pytest.raises(JudgeError, match="never trained on enhanced speech; it was trained on"):
        score(scenes, [folder], [recogniser({"heard": notes})])


def test_known_scenes_and_own_listeners_are_marked(
    world: Make, enhanced: Make, recogniser: Callable[..., Path], score: Any
) -> None:
    scenes = world(4)
    folder = enhanced(scenes, "mixed", lambda x: 0.5 * x)
    judge = recogniser(
        {"heard": {"files": [fingerprint(scenes.parent / "S000_target.wav")], "enhanced": 0}}
    )
    (folder / ENHANCED_BY).write_text(
        json.dumps({"listener": fingerprint(judge)}), encoding="utf-8"
    )
    found = score(scenes, [folder], [judge])
    marks = {row["condition"]: row["own_listener"] for row in found["rows"]}
    assert marks == {"noisy": False, "clean": False, "enhanced": True}
    assert any("recordings of 1 of these 4 scenes" in remark for remark in found["remarks"])
    assert any("was trained to please" in remark for remark in found["remarks"])


def test_interferers_that_are_called_unseen_and_were_heard_are_told(
    world: Make, enhanced: Make, recogniser: Callable[..., Path], score: Any
) -> None:
    scenes = world(4)
    lines = [
        json.loads(line) | {"interferer_fingerprint": f"{k:016x}"}
        for k, line in enumerate(scenes.read_text().splitlines())
    ]
    scenes.write_text("".join(json.dumps(line) + "\n" for line in lines))
    judge = recogniser({"heard": {"files": [f"{k:016x}" for k in (0, 1, 3)], "enhanced": 0}})
    remarks = score(scenes, [enhanced(scenes)], [judge])["remarks"]
    assert [line["seen"] for line in lines] == [True, False, True, False]
    assert any(
        "the very interferers of 2 scenes that are called unseen" in remark for remark in remarks
    )


def test_without_hashes_it_is_said_that_nothing_is_known(recogniser: Callable[..., Path]) -> None:
    assert "is not known" in OwnJudge.load(recogniser({})).remarks[0]


def test_a_fingerprint_is_of_length_beginning_and_end(tmp_path: Path) -> None:
    marks = set()
    for name, data in (
        ("a", b"x" * 300_000),
        ("b", b"x" * 300_001),
        ("c", b"y" + b"x" * 299_999),
        ("d", b"x" * 299_999 + b"y"),
    ):
        (tmp_path / name).write_bytes(data)
        marks.add(fingerprint(tmp_path / name))
    assert len(marks) == 4 and all(len(mark) == 16 for mark in marks)


def test_an_ensemble_writes_what_its_one_member_does(recogniser: Callable[..., Path]) -> None:
    path = recogniser({"heard": {"files": ["a" * 16], "enhanced": 0}})
    sounds = [torch.randn(8000, generator=torch.Generator().manual_seed(0))]
    alone = OwnJudge.load(path)
    together = OwnJudge.together([path, path])
    assert together.listen(sounds, 8000) == alone.listen(sounds, 8000)
    assert together.heard == alone.heard
    assert together.fingerprint not in ("", alone.fingerprint)


def test_an_ensemble_with_a_member_that_heard_enhanced_speech_is_refused(
    recogniser: Callable[..., Path],
) -> None:
    clean = recogniser({"heard": {"files": [], "enhanced": 0}}, "clean")
    enhanced = recogniser({"heard": {"files": [], "enhanced": 3}}, "enhanced")
    with pytest.raises(JudgeError, match="never trained on enhanced speech"):
        OwnJudge.together([clean, enhanced])
