"""Targets against texts."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from ctcasr.diagnose.targets import TargetStats
from ctcasr.text import Alphabet

ALPHABET = Alphabet(" abc")


def stats_of(text: str, labels: Sequence[int]) -> TargetStats:
    stats = TargetStats()
    stats.add(text, labels, ALPHABET)
    return stats


@pytest.mark.parametrize("text", ["abc", "a b", "", "cab cab"])
def test_targets_that_are_their_text_are_no_finding(text: str) -> None:
    shares = stats_of(text, ALPHABET.encode(text)).as_json()
    assert shares["shifted"] == shares["padded"] == shares["unlike_text"] == 0.0
    assert shares["empty"] == float(not text) and shares["labels"] == len(text)


@pytest.mark.parametrize("shift", [-1, 1])
def test_shifted_targets_are_told(shift: int) -> None:
    stats = stats_of("ab", [label + shift for label in ALPHABET.encode("ab")])
    assert (stats.shifted, stats.unlike_text) == (1, 1)


def test_padding_behind_the_text_is_told_and_another_text_is_not_that() -> None:
    labels = ALPHABET.encode("ab")
    assert stats_of("ab", [*labels, 1, 1]).padded == 1
    assert stats_of("ab", [*labels, 1]).padded == 0  # one symbol too many is another text
    assert stats_of("ab", [*labels, 1, 2]).padded == 0


def test_characters_that_cannot_be_written_are_counted() -> None:
    assert stats_of("abxy", [2, 3]).as_json()["outside_alphabet"] == 0.5
    assert TargetStats().as_json()["outside_alphabet"] == 0.0


def test_labels_that_no_symbol_has_do_no_harm() -> None:
    assert stats_of("ab", [99, -3]).unlike_text == 1
