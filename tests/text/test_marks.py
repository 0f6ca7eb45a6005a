"""Remarks and marks of speakers are found; words are not taken for them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctcasr.text import find_marks


@pytest.mark.parametrize(
    ("text", "marks"),
    [
        ("[noise] hello", ("[noise]",)),
        ("well (inaudible) then", ("(inaudible)",)),
        ("spk1: hello", ("spk1:",)),
        ("SPEAKER_00: hello", ("SPEAKER_00:",)),
        ("Speaker 2: yes Interviewer: no", ("Speaker 2:", "Interviewer:")),
        ("A: yes", ("A:",)),
        ("<unk> {laugh} *coughs*", ("<unk>", "{laugh}", "*coughs*")),
        (">> and now ♪♪", (">>", "♪♪")),
        ("a [b] c [d]", ("[b]", "[d]")),
    ],
)
def test_marks_are_found_in_order(text: str, marks: tuple[str, ...]) -> None:
    assert find_marks(text) == marks


@pytest.mark.parametrize(
    "text",
    ["it is ten: sharp", "hostages: two", "two * three", "3 < 4", "note this:", "at 5:30 a", ""],
)
def test_words_are_no_marks(text: str) -> None:
    assert find_marks(text) == ()


@given(st.text())
def test_every_mark_stands_in_the_text(text: str) -> None:
    assert all(mark and mark in text for mark in find_marks(text))
