"""Causes in recordings, texts and features: each by its own numbers, none by a healthy run's."""

from __future__ import annotations

from typing import Any

import pytest

from ctcasr.diagnose import verdict
from tests.fixtures.run_records import run_records

PLATEAU = [1.0, 1.0]


@pytest.mark.parametrize(
    ("slug", "changes"),
    [
        ("audio-silent", {"train": {"silent": 0.9}}),
        ("features-not-finite", {"train": {"features_finite": 0.97}}),
        ("features-constant", {"train": {"features_constant": 1.0}}),
        ("empty-transcripts", {"dev": {"empty": 0.2}}),
        ("labels-shifted", {"dev": {"shifted": 1.0}}),
        ("target-lengths-count-padding", {"train": {"padded": 0.5}}),
        ("transcripts-outside-alphabet", {"train": {"outside_alphabet": 0.3}}),
        ("wrong-sample-rate", {"train": {"pitch_hz": 400.0, "active_s": 1.0, "labels": 10}}),
        (
            "wrong-sample-rate",
            {
                "train": {"pitch_hz": 120.0, "active_s": 1.0, "labels": 8},
                "dev": {"pitch_hz": 250.0, "active_s": 1.0, "labels": 16},
            },
        ),
        ("audio-silent", {"corpus": {"train": {"rows": 300, "silent": 90}}}),
        ("audio-silent", {"corpus": {"train": {"rows": 300, "constant": 90, "silent": 0}}}),
        ("features-not-finite", {"corpus": {"train": {"rows": 300, "not_finite": 1}}}),
        (
            "dev-unlike-train",
            {"train": {"level_db": -20.0, "nll": 3.0}, "dev": {"level_db": -50.0}},
        ),
    ],
)
def test_a_cause_by_its_numbers(slug: str, changes: dict[str, Any]) -> None:
    assert [cause.slug for cause in verdict(run_records(PLATEAU, **changes)).causes] == [slug]
    assert not verdict(run_records(PLATEAU)).causes


def test_reasons_decide_and_not_messages() -> None:
    event = {"kind": "event", "step": 0, "message": "reworded", "ids": ["a.wav"]}
    for reason, slug in (
        ("loss-not-finite", "features-not-finite"),
        ("text-uncovered", "transcripts-outside-alphabet"),
    ):
        assert verdict([event | {"reason": reason}]).causes[0].slug == slug
        assert not verdict([event | {"reason": "other"}]).causes


def test_one_text_that_cannot_be_written_says_nothing_of_the_others() -> None:
    event = {"kind": "event", "step": 2, "reason": "text-uncovered", "ids": ["a"], "message": "a"}
    assert not verdict([event]).causes, "steps have been taken, though none is recorded yet"


def test_events_of_older_runs_are_understood() -> None:
    old = {"kind": "event", "step": 0, "what": "skipped-step", "message": "loss is not finite (a)"}
    assert verdict([old]).causes[0].slug == "features-not-finite"
    old = {"kind": "event", "step": 0, "what": "unreadable", "message": "none in the alphabet"}
    assert verdict([old]).causes[0].slug == "transcripts-outside-alphabet"


def test_a_hum_is_no_voice_read_at_another_rate() -> None:
    hum = {"pitch_hz": 50.0, "pitch_spread": 0.0, "active_s": 1.0, "labels": 15.0}
    assert not verdict(run_records(PLATEAU, train=hum, dev=hum)).causes


def test_some_recordings_at_another_rate() -> None:
    voice = {"pitch_hz": 150.0, "pitch_spread": 0.3, "pitch_jumps": 0.05}
    half = voice | {"rate_rows": 80, "rate_octaves": 0.5, "rate_errors": 8.0, "rate_measure": 0.8}
    causes = verdict(run_records(PLATEAU, train=half)).causes
    assert [cause.slug for cause in causes] == ["wrong-sample-rate"]
    assert "0.50 octaves" in causes[0].evidence
    others = ({"rate_octaves": 0.2}, {"rate_errors": 2.0}, {"rate_rows": 20}, {"rate_measure": 0.2})
    for people in others:
        assert not verdict(run_records(PLATEAU, train=half | people)).causes


def test_slow_and_low_is_another_rate_and_one_of_both_is_a_voice() -> None:
    slow = {"pitch_hz": 72.0, "pitch_spread": 0.4, "active_s": 10.0, "labels": 55.0}
    causes = verdict(run_records(PLATEAU, train=slow, dev=slow)).causes
    assert [cause.slug for cause in causes] == ["wrong-sample-rate"]
    deep = slow | {"labels": 130.0}
    assert not verdict(run_records(PLATEAU, train=deep, dev=deep)).causes


def test_noise_has_a_pitch_that_jumps_about() -> None:
    noise = {"pitch_hz": 70.0, "pitch_spread": 3.5, "rows": 40.0}
    crackle = {"pitch_hz": 50.0, "pitch_spread": 0.4, "pitch_jumps": 0.3, "rows": 40.0}
    for part in (noise, crackle):
        causes = verdict(run_records(PLATEAU, train=part, dev=part)).causes
        assert [cause.slug for cause in causes] == ["audio-without-voice"]


def test_other_voices_are_another_rate_only_if_their_pace_agrees() -> None:
    slow = {"pitch_hz": 62.0, "active_s": 1.0, "labels": 6.0}
    other = {"pitch_hz": 62.0, "active_s": 1.0, "labels": 14.0}
    usual = {"pitch_hz": 121.0, "active_s": 1.0, "labels": 14.0}
    understood = [0.9, 0.5, 0.5, 0.5]
    causes = verdict(run_records(understood, train=usual, dev=slow)).causes
    assert [cause.slug for cause in causes] == ["wrong-sample-rate"]
    assert not verdict(run_records(understood, train=usual, dev=other)).causes


def test_noise_and_tones_are_no_voices() -> None:
    noise = {"pitch_hz": "nan", "rows": 30}
    tone = {"pitch_hz": 200.0, "pitch_spread": 0.001, "rows": 30}
    voice = {"pitch_hz": 200.0, "pitch_spread": 0.3, "rows": 30}
    for part in (noise, tone):
        causes = verdict(run_records(PLATEAU, train=part, dev=part)).causes
        assert [cause.slug for cause in causes] == ["audio-without-voice"]
        assert not verdict(run_records(PLATEAU, train=voice, dev=part)).causes
        assert not verdict(run_records([1.0, 0.5, 0.5, 0.5], train=part, dev=part)).causes
        guessing = run_records([1.0, 0.75, 0.75, 0.75], train=part, dev=part)  # by the lengths
        assert [cause.slug for cause in verdict(guessing).causes] == ["audio-without-voice"]


def test_of_silence_features_cannot_change() -> None:
    corpus = {"train": {"rows": 300, "silent": 150}}
    records = run_records(PLATEAU, train={"features_constant": 1.0}, corpus=corpus)
    assert [cause.slug for cause in verdict(records).causes] == ["audio-silent"]


def test_texts_that_cannot_be_written_are_counted_against_those_that_are_trained_on() -> None:
    event = {"kind": "event", "step": 5, "reason": "text-uncovered", "message": "30 left out"}
    corpus = {"train": {"rows": 70, "empty": 0}}
    many = event | {"ids": [f"u{number}" for number in range(30)]}
    few = event | {"ids": ["u1", "u2"]}
    cause = verdict([many, *run_records(PLATEAU, corpus=corpus)]).causes[0]
    assert cause.slug == "transcripts-outside-alphabet" and "30 of 100 (30 %)" in cause.evidence
    assert not verdict([few, *run_records(PLATEAU, corpus=corpus)]).causes


@pytest.mark.parametrize("pitch_hz", [70.0, 120.0, 220.0, 260.0, 299.0])
def test_voices_that_people_have_are_no_cause(pitch_hz: float) -> None:
    voice = {"pitch_hz": pitch_hz, "active_s": 1.0, "labels": 15.0}
    assert not verdict(run_records(PLATEAU, train=voice, dev=voice)).causes


def test_a_loss_that_was_never_finite_is_the_inputs_fault_and_not_the_learning_rates() -> None:
    events = []
    for step in (0, 1, 2, 3):
        events.append({"kind": "event", "step": step, "reason": "loss-not-finite"})
    slugs = [cause.slug for cause in verdict([*events, *run_records(PLATEAU)]).causes]
    assert slugs == ["features-not-finite"]
    later = [event | {"step": event["step"] + 1} for event in events]
    assert verdict([*later, *run_records(PLATEAU)]).causes[0].slug == "learning-rate-too-high"
