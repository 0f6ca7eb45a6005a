"""Remarks: endless hypotheses are counted and named, parts and few units are told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ctcasr.batch import Utterance
from ctcasr.compare.hearing import FAILED, Hearing
from ctcasr.compare.remarks import (
    empty_rates,
    failed_judges,
    remarks_on_parts,
    remarks_on_trial,
    remarks_on_units,
)
from ctcasr.compare.scene import Scene, scene_of
from ctcasr.compare.summary import Setting, summarise
from ctcasr.compare.trial import Quality, Trial
from ctcasr.scoring.errors import ErrorRates


def scenes(count: int) -> list[Scene]:
    return [scene_of(Utterance(Path(f"s{n}.wav"), text="one two")) for n in range(count)]


def hearing(scene: Scene, condition: str, text: str) -> Hearing:
    errors = ErrorRates.of("one two", text)
    return Hearing(scene, "j", condition, "ok", "", "one two", text, errors)


def test_endless_hypotheses_are_counted_and_named() -> None:
    (scene,) = scenes(1)
    hearings = [hearing(scene, "noisy", "you " * 40), hearing(scene, "e", "one two")]
    remark, _ = remarks_on_trial(Trial([*hearings, lost(scene, "k")]))
    assert remark.startswith("j: endless repetitions in 1 of 2 hypotheses (s0 noisy)")


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
    assert "no word for j e: only 4 sentences can be compared" in remark
    alone = summarise(Trial(hearings[:2]), test[:1], setting)
    assert "only 1 sentence can" in remarks_on_units(alone)[0]


def test_conditions_that_nobody_heard_have_no_word() -> None:
    test = scenes(2)
    hearings = [hearing(scene, "noisy", "one two") for scene in test]
    hearings += [Hearing(scene, "j", "e", "missing", "no file") for scene in test]
    setting = Setting(listeners={"e": ""}, judges={"j": ""}, draws=1000)
    (remark,) = remarks_on_units(summarise(Trial(hearings), test, setting))
    assert "no word for j e: only 0 sentences" in remark


def test_rates_of_nothing_are_told_once_with_the_first_reason() -> None:
    test = scenes(2)
    hearings = []
    for name in ("j", "k"):
        for scene in test:
            said = hearing(scene, "noisy", "one two")
            hearings.append(replace(said, judge=name))
            hearings.append(Hearing(scene, name, "e", "unreadable", f"{scene.id}.wav: no sound"))
    (told,) = empty_rates(Trial(hearings), ["noisy", "e"])
    assert told == "e: expected sounds that can be heard; none of 2 can (s0.wav: no sound)"
    assert empty_rates(Trial(hearings), ["noisy"]) == []
    heard_one = hearing(test[0], "e", "one")
    assert empty_rates(Trial([heard_one, *hearings[-1:]]), ["e"]) != []
    assert empty_rates(Trial([heard_one, lost(test[1], "j", "e")]), ["e"]) == []
    wordless = replace(heard_one, errors=ErrorRates.of("", "you"))
    (told,) = empty_rates(Trial([wordless]), ["e"])
    assert told.startswith("j, e: expected scenes whose texts have words")


def lost(scene: Scene, judge: str, condition: str = "noisy") -> Hearing:
    return Hearing(scene, judge, condition, FAILED, f"{judge}: RuntimeError: no model")


def test_a_judge_that_fails_is_told_with_what_it_said() -> None:
    first, second = scenes(2)
    trial = Trial([hearing(first, "noisy", "one two"), lost(second, "j"), lost(first, "k")])
    told = remarks_on_trial(trial)
    assert told == [
        "j: failed at 1 of 2 sounds (first s1 noisy: RuntimeError: no model)",
        "k: failed at 1 of 1 sounds (first s0 noisy: RuntimeError: no model)",
    ]
    (sentence,) = failed_judges(trial)
    assert sentence.startswith("k: expected texts; it failed at every sound (first s0 noisy")


def test_files_that_are_not_there_are_told_with_the_first_reason() -> None:
    first, second = scenes(2)
    missing = Quality(second, "e", "missing", "no file for s1 in out")
    (told,) = remarks_on_trial(Trial([], [Quality(first, "e", "ok"), missing]))
    assert "e: 1 of 2 files are missing or cannot be read (no file for s1 in out)" in told
