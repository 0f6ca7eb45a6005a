"""What somebody may have meant is named; what is near to nothing is not guessed."""

from __future__ import annotations

import string

from hypothesis import given
from hypothesis import strategies as st

from ctcasr.text.spelling import did_you_mean

WORDS = st.text(string.ascii_letters, min_size=4)


@given(WORDS, st.lists(WORDS))
def test_a_name_in_other_letters_is_the_nearest(word: str, others: list[str]) -> None:
    names = [word, *(other for other in others if other.casefold() != word.casefold())]
    assert did_you_mean(word.swapcase(), names) == f"; did you mean {word!r}?"


def test_among_no_names_nothing_is_meant() -> None:
    assert did_you_mean("any", []) == ""
