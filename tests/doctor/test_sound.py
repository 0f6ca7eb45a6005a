"""Findings in what was heard, from measurements alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ctcasr.batch import Utterance
from ctcasr.data import AudioInfo
from ctcasr.doctor import sound
from ctcasr.doctor.finding import Finding
from ctcasr.doctor.listen import SignalStats, Sound

CLEAN = SignalStats(0.5, 0.1, 0.0, 0.0, 1.0, b"a", np.ones(4, bool))


def line(number: int, rate_hz: int = 16000, channels: int = 1, **changes: Any) -> Sound:
    utterance = Utterance(Path(f"{number}.wav"), text=f"text {number}", where=f"m:{number}")
    signal = replace(CLEAN, digest=str(number).encode(), **changes)
    return Sound(utterance, AudioInfo(rate_hz, rate_hz, channels), 16000, signal)


def slugs(findings: list[Finding]) -> dict[str, tuple[int, ...]]:
    return {finding.slug: finding.lines for finding in findings}


@pytest.mark.parametrize(
    ("slug", "changes"),
    [
        ("silent", {"peak": 1e-5, "rms": 1e-6}),
        ("quiet", {"peak": 0.01, "rms": 0.002}),
        ("cancelled-channels", {"kept": 1e-3}),
        ("clipped", {"flat": 0.02}),
        ("dc-offset", {"dc": -0.1}),
        ("constant-features", {"changing": np.zeros(4, bool)}),
    ],
)
def test_a_fault_by_its_numbers(slug: str, changes: dict[str, Any]) -> None:
    assert slugs(sound.in_signals([line(1), line(2, **changes), line(3)])) == {slug: (2,)}


def test_what_training_survives_is_no_error_however_often() -> None:
    clipped = sound.in_signals([line(number, flat=0.1) for number in range(1, 9)])
    silent = sound.in_signals([line(number, peak=0.0) for number in range(1, 9)])
    assert (clipped[0].severity, silent[0].severity) == ("warning", "error")


def test_a_feature_that_never_changes_is_dead() -> None:
    rows = [line(number, changing=np.array([True, False, True])) for number in (1, 2)]
    (finding,) = sound.in_signals(rows)
    assert finding.slug == "dead-features" and finding.figures["dead"] == [1]
    unheard = replace(line(3), signal=None)
    (finding,) = sound.in_signals([*rows, unheard])
    assert finding.figures["utterances"] == 2, "those that were listened to"


def test_rates_and_channels() -> None:
    assert slugs(sound.in_formats([line(1), line(2, 8000), line(3)], 16000)) == {
        "mixed-rates": (2,)
    }
    assert slugs(sound.in_formats([line(1, 8000)], 16000)) == {"upsampled": ()}
    assert slugs(sound.in_formats([line(1), line(2, channels=2)], 16000)) == {
        "several-channels": (2,)
    }
    assert not sound.in_formats([line(1)], 16000) and not sound.in_formats([], 16000)


def test_lines_shorter_than_their_file() -> None:
    short = line(1)
    short = replace(short, utterance=replace(short.utterance, duration=0.5))
    assert slugs(sound.in_durations([short, line(2)])) == {"duration-short-of-file": (1,)}
    rest = replace(short, utterance=replace(short.utterance, offset=0.5))
    assert not sound.in_durations([short, rest])  # another line has the rest


def test_the_same_sound_twice() -> None:
    twice = [line(1), replace(line(1), utterance=replace(line(1).utterance, where="m:2"))]
    assert slugs(sound.doubles(twice, str.lower)) == {"duplicate-audio": (1, 2)}
    torn = [twice[0], replace(twice[1], utterance=replace(twice[1].utterance, text="else"))]
    assert slugs(sound.doubles(torn, str.lower)) == {"contradictory-audio": (1, 2)}


def test_texts_that_say_the_same_do_not_contradict_each_other() -> None:
    def group(*texts: str | None) -> list[Sound]:
        said = []
        for number, text in enumerate(texts, start=1):
            utterance = Utterance(Path(f"{number}.wav"), text=text, where=f"m:{number}")
            said.append(replace(line(1), utterance=utterance))
        return said

    (finding,) = sound.doubles(group(None, "Hello", "hello", "bye"), str.lower)
    assert finding.slug == "contradictory-audio" and finding.lines == (2, 3, 4)
    assert "'Hello', and the same sound (4) says 'bye'" in finding.message
    greek = sound.doubles(group("αβγ", "δεζ"), lambda text: "")
    assert slugs(greek) == {"contradictory-audio": (1, 2)}, "though nothing of them can be written"


def test_a_link_has_the_rest_of_its_file(tmp_path: Path) -> None:
    (tmp_path / "a.wav").touch()
    (tmp_path / "link.wav").symlink_to(tmp_path / "a.wav")
    sounds = []
    for number, name in enumerate(("a.wav", "link.wav")):
        part = Utterance(tmp_path / name, duration=0.5, offset=0.5 * number, where=f"m:{number}")
        sounds.append(replace(line(1), utterance=part))
    assert not sound.in_durations(sounds)


def test_each_file_trouble_is_an_error() -> None:
    broken = Sound(Utterance(Path("a.wav"), where="m:4"), trouble="missing-file", reason="a.wav")
    (finding,) = sound.in_files([line(1), broken])
    assert (finding.slug, finding.severity, finding.lines) == ("missing-file", "error", (4,))
