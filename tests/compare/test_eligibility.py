"""Who may judge, and what is said of those who may."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from ctcasr.batch import Utterance
from ctcasr.compare.eligibility import examine_judge, fingerprints, refuse_wordless
from ctcasr.compare.enhanced import EnhancedFolder
from ctcasr.compare.function_judge import FunctionJudge
from ctcasr.compare.judge import JudgeError
from ctcasr.compare.scene import read_scenes, scene_of
from ctcasr.data.provenance import fingerprint
from ctcasr.data.sidecar import ENHANCED_BY
from ctcasr.text import plain_words

Make = Callable[..., Path]


def judge(heard: frozenset[str] = frozenset(), own: str = "") -> FunctionJudge:
    return FunctionJudge("j", lambda sounds, rate_hz: [], plain_words, own, heard)


def test_files_that_it_was_trained_on_are_refused(world: Make, enhanced: Make) -> None:
    scenes, _ = read_scenes(path := world(3))
    folder = EnhancedFolder.open(enhanced(path, "mixed", lambda x: 0.5 * x))
    first = next(iter(folder.files.values()))[0]
    with pytest.raises(JudgeError, match="never trained on enhanced speech"):
        examine_judge(judge(frozenset({fingerprint(first)})), scenes, [folder])


def test_known_recordings_and_own_listeners_are_said(world: Make, enhanced: Make) -> None:
    scenes, _ = read_scenes(path := world(3))
    place = enhanced(path, "mixed", lambda x: 0.5 * x)
    (place / ENHANCED_BY).write_text(json.dumps({"listener": "ff"}), encoding="utf-8")
    folder = EnhancedFolder.open(place, "e")
    known = frozenset(fingerprints(scenes[0]))
    remarks = examine_judge(judge(known, "ff"), scenes, [folder])
    assert any("the recordings of 1 of these 3 scenes" in remark for remark in remarks)
    assert any("e: was trained to please j" in remark for remark in remarks)
    assert not any("please" in remark for remark in examine_judge(judge(), scenes, [folder]))


def test_a_judge_with_known_recordings_takes_folders_with_files_that_are_none(
    world: Make, enhanced: Make
) -> None:
    scenes, _ = read_scenes(path := world(3))
    place = enhanced(path, "mixed", lambda x: 0.5 * x)
    first, second, third = sorted(place.glob("*.wav"))
    first.unlink()
    first.symlink_to("/nowhere")
    second.unlink()
    second.mkdir()
    folder = EnhancedFolder.open(place)
    knowing = judge(frozenset({"0"}))
    assert examine_judge(knowing, scenes, [folder]) == [f"j: {one}" for one in knowing.remarks]
    with pytest.raises(JudgeError, match="never trained on enhanced speech"):
        examine_judge(judge(frozenset({fingerprint(third)})), scenes, [folder])


def test_texts_without_a_word_are_told_and_refused_where_there_are_no_others() -> None:
    texts = ("one two", "...", "")
    scenes = [
        scene_of(Utterance(Path(f"s{number}.wav"), text=text)) for number, text in enumerate(texts)
    ]
    (remark,) = [one for one in examine_judge(judge(), scenes, []) if "hold no word" in one]
    assert remark.startswith("j: 2 of 3 texts hold no word")
    refuse_wordless(judge(), scenes)
    with pytest.raises(ValueError, match=r"j: expected scenes whose texts .* of the 2 .* '\.\.\.'"):
        refuse_wordless(judge(), scenes[1:])
