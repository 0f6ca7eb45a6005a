"""Recordings that do not sound like their neighbours are named, and nobody else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from ctcasr.batch import Utterance
from ctcasr.doctor.listen import SignalStats, Sound
from ctcasr.doctor.speech import SpeechStats
from ctcasr.doctor.unlike import _ODDITIES, COMPARISONS, unlike_others
from ctcasr.scoring.figures import agreeing


def usual(draw: np.random.Generator) -> SpeechStats:
    def about(middle: float, spread: float) -> float:
        return middle + spread * float(draw.standard_normal())

    return SpeechStats(
        level=about(-25, 2),
        dynamics=about(40, 2),
        voiced=about(0.8, 0.03),
        pitch=about(0.5, 0.05),
        pauses=0.3,
        front=about(0.3, 0.02),
        back=0.2,
        active_s=1.5,
        nuclei=8.0,
        attack=about(1.0, 0.3),
        flatness=about(-12, 1),
        bands=tuple(about(0, 2) for _ in range(11)),
        hum=about(15, 1),
        tone_s=0.0,
        echo=about(10, 1),
        echo_s=0.1,
        zeros=0.0,
        step=1.0,
        clicks=0.0,
        seconds=about(2.0, 0.5),
    )


def sounds(changes: dict[str, object], count: int = 60) -> list[Sound]:
    """Usual sounds, the third of which is changed."""
    draw = np.random.default_rng(0)
    made = []
    for line in range(1, count + 1):
        stats = usual(draw)
        if line == 3:
            stats = replace(stats, **changes)
        signal = SignalStats(0.5, 0.1, 0, 0, 1, b"", np.ones(2, bool), stats)
        made.append(Sound(Utterance(Path(f"{line}.wav"), where=f"m:{line}"), signal=signal))
    return made


def found(changes: dict[str, object]) -> dict[str, tuple[int, ...]]:
    return {finding.slug: finding.lines for finding in unlike_others(sounds(changes))}


def test_usual_sounds_are_no_finding_and_few_are_not_compared() -> None:
    assert not found({})
    assert not unlike_others(sounds({"clicks": 50.0}, count=10))


def test_each_way_to_be_unlike_is_named_with_its_line() -> None:
    ways: dict[str, dict[str, object]] = {
        "pure-tone": {"tone_s": 0.4},
        "echo": {"echo": 90.0},
        "lost-packets": {"zeros": 0.3},
        "coarse-steps": {"step": 256.0},
        "clicks": {"clicks": 10.0},
        "hum": {"hum": 45.0},
        "no-voice": {"voiced": 0.05},
        "other-level": {"level": -60.0},
        "other-pitch": {"pitch": 1.2},
        "backwards": {"attack": -1.0},
        "begins-inside": {"front": 0.0},
        "noisy": {"dynamics": 12.0},
        "narrow-band": {"bands": (*[0.0] * 10, -40.0)},
    }
    for slug, changes in ways.items():
        assert found(changes)[slug] == (3,), slug
    assert {*ways, "unlike-others", "other-length"} == COMPARISONS


def test_one_length_for_nearly_all_makes_others_odd() -> None:
    made = []
    for sound in sounds({}):
        assert sound.signal is not None and sound.signal.speech is not None
        seconds = 1.0 if sound.utterance.where == "m:3" else 3.0
        speech = replace(sound.signal.speech, seconds=seconds)
        made.append(replace(sound, signal=replace(sound.signal, speech=speech)))
    told = {finding.slug: finding.lines for finding in unlike_others(made)}
    assert told == {"other-length": (3,)}


def test_what_is_said_of_many_lines_can_be_said_of_one() -> None:
    for oddity in _ODDITIES:
        assert agreeing(1, oddity.what).split()[0].endswith("s"), oddity.what
