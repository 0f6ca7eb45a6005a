"""References: what can be written stays, the rest is named and counted, on every road alike."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctcasr.scoring.errors import ErrorRates
from ctcasr.text import (
    Alphabet,
    Pieces,
    Reference,
    TakenOut,
    Tokenizer,
    normalise,
    plain_words,
    references,
)
from ctcasr.text.reference import name_characters

ENGLISH = Alphabet.english38()
SPELLING = Alphabet.english29(digits="spell")
PIECES = Pieces.train(["lay blue now", "set red again"] * 5, 45, ENGLISH)


@pytest.mark.parametrize("tokenizer", [ENGLISH, SPELLING, PIECES], ids=["38", "29", "pieces"])
@given(text=st.text())
def test_a_reference_is_what_the_output_can_be(tokenizer: Tokenizer, text: str) -> None:
    reference = tokenizer.reference(text)
    assert tokenizer.decode(tokenizer.encode(text)) == reference.text
    assert reference.taken_out == tokenizer.uncovered(text)
    again = tokenizer.reference(reference.text)
    assert again == Reference(reference.text)


@pytest.mark.parametrize("sign", [".", " .", "\u200b", "\ufeff", "\u00ad", "...", "?!", "\u200d"])
def test_a_sign_behind_every_text_costs_no_word(sign: str) -> None:
    said = ["lay blue at f two now", "set red", "again"]
    texts = [text + sign for text in said]
    written, taken_out = references(texts, ENGLISH.reference)
    errors = ErrorRates()
    for reference, hypothesis in zip(written, said, strict=True):
        errors += ErrorRates.of(reference, hypothesis)
    assert errors.words.rate == 0
    assert taken_out.affected == taken_out.texts == 3
    assert f"U+{ord(sign.strip()[0]):04X}" in str(taken_out)


def test_invisible_characters_within_words_part_nothing() -> None:
    assert ENGLISH.reference("some\u200bthing el\u00adse").text == "something else"


def test_digits_are_spelled_wherever_the_tokenizer_goes() -> None:
    assert SPELLING.reference("Room 42b, x\u00b2").text == "room four two b x two"
    assert SPELLING.reference("room four two").text == SPELLING.reference("room 42").text
    pieces = Pieces.train(["room four", "two"] * 5, 60, Alphabet.english38(digits="spell"))
    assert pieces.reference("7").text == pieces.decode(pieces.encode("7")) == "seven"


def test_strict_alphabets_have_references_too() -> None:
    assert Alphabet.english38(strict=True).reference("a&b") == Reference("ab", {"&": 1})


@given(st.text())
def test_plain_words_hold_no_punctuation_and_lose_no_letter(text: str) -> None:
    words = plain_words(text)
    assert not set(words.text) & set(string.punctuation)
    assert sum(char.isalnum() for char in normalise(text)) == sum(map(str.isalnum, words.text))
    assert plain_words(words.text) == Reference(words.text)


def test_what_was_taken_out_is_summed_and_named() -> None:
    taken_out = TakenOut()
    assert not taken_out and "nothing" in str(taken_out)
    for text in ("a.b.", "c", "d\u200b."):
        taken_out.add(ENGLISH.reference(text))
    assert taken_out and (taken_out.texts, taken_out.affected) == (3, 2)
    assert str(taken_out).endswith("'.' U+002E x3, '\\u200b' U+200B x1")


def test_many_kinds_are_summed_up() -> None:
    line = name_characters({chr(0x400 + index): 1 for index in range(20)})
    assert line.endswith("and 12 more kinds")
