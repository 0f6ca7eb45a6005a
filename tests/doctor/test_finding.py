"""Findings are graded, numbered by line, and known."""

from __future__ import annotations

from pathlib import Path

import pytest

from ctcasr.batch import Skip, Utterance
from ctcasr.doctor.finding import Finding, graded, line_of, lines_of


def test_more_than_one_line_in_a_hundred_hurts() -> None:
    assert graded(1, 100) == "warning" and graded(2, 100) == "error"


def test_lines_are_counted_from_one_ascending_and_once() -> None:
    entries = [Utterance(Path("a.wav"), where=f"m.jsonl:{line}") for line in (7, 3, 7)]
    assert lines_of(entries) == (3, 7)
    assert line_of(Skip("m.jsonl:12", "broken")) == 12
    assert line_of(Utterance(Path("a.wav"))) == 0


def test_a_finding_nobody_knows_is_a_mistake() -> None:
    with pytest.raises(AssertionError, match="SLUGS"):
        Finding("brand-new", "note", "", "")
