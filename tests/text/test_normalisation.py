"""Normalisation: properties over any text, then the cases that people meet."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctcasr.text import normalise, spell_digits

LOWER = frozenset(" abcdefghijklmnopqrstuvwxyz0123456789")
APOSTROPHE = LOWER | {"'"}
UPPER = frozenset(" ABCDEFGHIJKLMNOPQRSTUVWXYZ")


@given(st.text(), st.sampled_from([frozenset(), LOWER, APOSTROPHE, UPPER]))
def test_twice_is_once(text: str, keep: frozenset[str]) -> None:
    once = normalise(text, keep)
    assert normalise(once, keep) == once


@given(st.text(alphabet=sorted(LOWER)))
def test_text_of_the_alphabet_only_loses_white_space(text: str) -> None:
    assert normalise(text, LOWER) == " ".join(text.split())


@given(st.text())
def test_no_double_outer_or_foreign_white_space(text: str) -> None:
    normal = normalise(text, LOWER)
    assert normal == " ".join(normal.split())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It's", "its"),
        ("It\u2019s", "its"),
        ("D\u00e9j\u00e0-vu", "deja vu"),
        ("De\u0301ja\u0300", "deja"),
        ("well \u2014 so\u2013so", "well so so"),
        ("Stra\u00dfe", "strasse"),
        ("\ufb01ne \uff21\u00b2", "fine a2"),
        ("\tA\u00a0B\n", "a b"),
        ("\u0130stanbul", "istanbul"),
        ("room 42", "room 42"),
        ("", ""),
    ],
)
def test_english(text: str, expected: str) -> None:
    assert normalise(text, LOWER) == expected


def test_what_the_alphabet_has_is_kept() -> None:
    assert normalise("It\u2019s \u00c4rger", APOSTROPHE | {"\u00e4"}) == "it's \u00e4rger"
    assert normalise("a-b", LOWER | {"-"}) == normalise("a\u2013b", LOWER | {"-"}) == "a-b"
    assert normalise("h\u00e9llo", UPPER) == "HELLO"


def test_what_nothing_covers_is_left_for_the_report() -> None:
    assert normalise("Hi, \ud55c \u00d8!", LOWER) == "hi, \ud55c \u00f8!"


def test_digits_are_spelled_one_by_one() -> None:
    assert spell_digits("room 42b") == "room four two b"
    assert spell_digits("0123456789") == "zero one two three four five six seven eight nine"
    assert spell_digits("none") == "none"
