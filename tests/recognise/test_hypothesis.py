"""Words are groups of symbols with the times of their frames; nothing decoded is silence."""

from __future__ import annotations

import math

import pytest

from ctcasr.ctc import Decoded
from ctcasr.recognise.hypothesis import hypothesis_of, words_of
from ctcasr.text import Alphabet

ABC = Alphabet("abc ")


def frames(count: int) -> list[tuple[int, int]]:
    """One frame for each symbol, two apart."""
    return [(2 * index, 2 * index + 1) for index in range(count)]


@pytest.mark.parametrize("text", ["", "a", "ab", "ab c", "a b c", "abc abc"])
def test_words_are_those_of_the_text(text: str) -> None:
    tokens = ABC.encode(text)
    words = words_of(ABC, tokens, frames(len(tokens)), 0.04)
    assert [word.text for word in words] == text.split()
    ends = [time for word in words for time in (word.start_s, word.end_s)]
    assert ends == sorted(ends)


def test_spaces_at_the_ends_and_in_a_row_make_no_words() -> None:
    space, a = 4, 1
    words = words_of(ABC, [space, space, a, space], frames(4), 1.0)
    assert [(word.text, word.start_s, word.end_s) for word in words] == [("a", 4.0, 5.0)]


def test_the_others_travel_with_the_best() -> None:
    row = [Decoded((1, 2), ((0, 1), (1, 2)), -1.0), Decoded((1,), ((0, 1),), -2.0)]
    best = hypothesis_of(ABC, row, 0.1)
    assert (best.text, best.score, [other.text for other in best.others]) == ("ab", -1.0, ["a"])


def test_no_hypothesis_is_silence_that_nothing_is_less_likely_than() -> None:
    nothing = hypothesis_of(ABC, [], 0.1)
    assert (nothing.text, nothing.words, nothing.score) == ("", (), -math.inf)
