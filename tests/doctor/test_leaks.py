"""What train and valid have in common."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from ctcasr.batch import Skip, Utterance
from ctcasr.doctor.leaks import between, not_compared
from ctcasr.doctor.listen import SignalStats, Sound


def said(name: str, line: int, text: str, speaker: str | None = None, digest: str = "") -> Sound:
    utterance = Utterance(Path(name), text=text, speaker=speaker, where=f"m:{line}")
    content = (digest or name).encode()
    return Sound(utterance, signal=SignalStats(0.5, 0.1, 0, 0, 1, content, np.ones(2, bool)))


def slugs(train: list[Sound], valid: list[Sound]) -> dict[str, tuple[int, ...]]:
    return {finding.slug: finding.lines for finding in between(train, valid, str.lower)}


def test_parts_that_share_nothing_are_no_finding() -> None:
    assert not slugs([said("a", 1, "one", "s")], [said("b", 1, "two", "t")])


def test_a_recording_by_path_is_told_once_and_a_copy_by_content() -> None:
    train = [said("a", 1, "one"), said("b", 2, "two")]
    assert slugs(train, [said("a", 1, "three")]) == {"shared-recordings": (1,)}
    assert slugs(train, [said("c", 1, "three", digest="b")]) == {"shared-audio": (2,)}


def test_a_copy_on_a_line_of_the_same_name_is_told() -> None:
    train = [said("a", 1, "one"), said("b", 2, "two")]
    valid = [said("c", 1, "three", digest="b"), said("a", 2, "four")]
    assert slugs(train, valid) == {"shared-recordings": (1,), "shared-audio": (2,)}


def test_parts_of_a_recording_are_shared_where_they_share_seconds() -> None:
    def part(line: int, offset: float, duration: float | None = None) -> Sound:
        place = Utterance(Path("long.wav"), duration, "a", offset, where=f"m:{line}")
        return Sound(place, signal=replace(said("a", 1, "a").signal, digest=str(line).encode()))

    train = [part(1, 0.0, 2.0), part(2, 2.0, 1.0)]
    assert "shared-recordings" not in slugs(train, [part(7, 3.0)])
    assert slugs(train, [part(7, 2.5, 1.0)])["shared-recordings"] == (2,)


def test_lines_that_nobody_could_compare_are_told() -> None:
    lost = Sound(Utterance(Path("a"), where="m:3"), trouble="missing-file", reason="a: nothing")
    assert not_compared([said("b", 1, "one")], []) == []
    (finding,) = not_compared([said("b", 1, "one"), lost], [Skip("m:4", "no JSON")])
    assert finding.severity == "warning" and finding.figures["against_lines"] == [3, 4]
    assert "1 line of valid cannot be heard, as a: nothing" in finding.message


def test_silence_is_no_copy_of_silence() -> None:
    silence = SignalStats(0, 0, 0, 0, 1, b"same", None)
    train, valid = said("a", 1, "one"), said("b", 1, "two")
    assert not slugs(
        [Sound(train.utterance, signal=silence)], [Sound(valid.utterance, signal=silence)]
    )


def test_some_speakers_are_a_warning_and_all_a_note() -> None:
    train = [said("a", 1, "one", "s"), said("b", 2, "two", "t")]
    assert slugs(train, [said("c", 1, "three", "s"), said("d", 2, "four", "u")]) == {
        "shared-speakers": (1,)
    }
    assert slugs(train, [said("c", 1, "three", "s")]) == {"same-speakers": ()}


def test_texts_that_are_said_in_both() -> None:
    train = [said(f"{n}", n, f"text number {n}") for n in range(1, 41)]
    valid = [said(f"v{n}", n, f"text {n}") for n in range(1, 11)]
    assert not slugs(train, valid)
    valid[0] = said("v1", 1, "Text Number 7")
    assert slugs(train, valid) == {"shared-texts": (7,)}
    grammar = [said(f"{n}", n, "yes" if n % 2 else "no") for n in range(1, 13)]
    assert slugs(grammar, [said("v", 1, "yes")]) == {"same-texts": ()}
