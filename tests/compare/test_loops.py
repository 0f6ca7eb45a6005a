"""Endless hypotheses are told from those that only repeat a word or two."""

from __future__ import annotations

import pytest

from ctcasr.compare.loops import is_loop


@pytest.mark.parametrize(
    ("hypothesis", "loop"),
    [
        ("", False),
        ("bin blue at f two now", False),
        ("no no no no", False),
        ("you " * 8, True),
        ("thank you very much " * 5, True),
        ("so i said to him well thank you thank you thank you thank you thank you", True),
        ("one two three one two three one two three", False),
    ],
)
def test_repetitions_that_fill_a_text_are_loops(hypothesis: str, loop: bool) -> None:
    assert is_loop(hypothesis) == loop


def test_what_the_reference_repeats_too_is_none() -> None:
    assert not is_loop("ha " * 10, "ha " * 12)
    assert is_loop("ha " * 30, "ha " * 12)
