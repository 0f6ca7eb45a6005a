"""Remarks: endless hypotheses are counted and named, parts and few units are told."""

from __future__ import annotations

from pathlib import Path

from ctcasr.batch import Utterance
from ctcasr.compare.hearing import Hearing
from ctcasr.compare.remarks import remarks_on_parts, remarks_on_trial, remarks_on_units
from ctcasr.compare.scene import Scene, scene_of
from ctcasr.compare.summary import Setting, summarise
from ctcasr.compare.trial import Trial
from ctcasr.scoring.errors import ErrorRates


def scenes(count: int) -> list[Scene]:
    return [scene_of(Utterance(Path(f"s{n}.wav"), text="one two")) for n in range(count)]


def hearing(scene: Scene, condition: str, text: str) -> Hearing:
    errors = ErrorRates.of("one two", text)
    return Hearing(scene, "j", condition, "ok", "", "one two", text, errors)


def test_endless_hypotheses_are_counted_and_named() -> None:
    (scene,) = scenes(1)
    trial = Trial([hearing(scene, "noisy", "you " * 40), hearing(scene, "e", "one two")])
    (remark,) = remarks_on_trial(trial)
    assert remark.startswith("j: 1 hypotheses repeat") and "s0 noisy" in remark


def test_scenes_that_are_in_no_rate_are_told() -> None:
    dev, test = scenes(3), scenes(7)
    assert remarks_on_parts([], test) == []
    assert "3 of 10 scenes" in remarks_on_parts(dev, test)[0]


def test_few_units_are_told() -> None:
    test = scenes(4)
    hearings = [hearing(scene, name, "one two") for scene in test for name in ("noisy", "e")]
    setting = Setting(listeners={"e": ""}, judges={"j": ""}, draws=1000)
    summary = summarise(Trial(hearings), test, setting)
    (remark,) = remarks_on_units(summary)
    assert "j, e: no word, for only 4 sentences can be compared" in remark
