"""Voices are made by hand: each speaker a spectrum of its own, and noise around it."""

from __future__ import annotations

import math

import numpy as np

from ctcasr.audit.speakers import other_speaker

SPEAKERS = ["ann", "bob", "eve"]


def voices_of(names: list[str]) -> list[np.ndarray | None]:
    """A voice for each name; that of one speaker lies around one point."""
    generator = np.random.default_rng(3)
    centres = {name: generator.normal(size=12) for name in SPEAKERS}
    return [centres[name] + 0.3 * generator.normal(size=12) for name in names]


def test_lines_of_another_speaker_stand_out():
    true = [SPEAKERS[number % 3] for number in range(150)]
    written = list(true)
    wrong = [7, 40, 77, 102, 131]
    for line in wrong:
        written[line] = SPEAKERS[(line + 1) % 3]
    odds = other_speaker(voices_of(true), written)
    assert min(odds[line] for line in wrong) > 0
    assert max(odds[line] for line in range(150) if line not in wrong) < 0


def test_where_speakers_are_unknown_nothing_is_said():
    true = [SPEAKERS[number % 2] for number in range(30)]
    voices = voices_of(true)
    assert set(other_speaker(voices, [None] * 30)) == {-math.inf}
    assert set(other_speaker(voices, ["ann"] * 30)) == {-math.inf}
    assert set(other_speaker([None] * 30, true)) == {-math.inf}
    assert other_speaker([], []) == []
    seldom = [*true, "eve"]
    odds = other_speaker([*voices, voices[0]], seldom)
    assert odds[-1] == -math.inf and math.isfinite(odds[0])
