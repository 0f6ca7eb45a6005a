"""Random texts: words as they follow each other, and as many as asked for."""

from __future__ import annotations

import itertools
import string
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctcasr.data import SentenceTexts, WordTexts
from ctcasr.data.synth import DIGITS

LINES = ["place blue at f", "place red now", "set blue now"]
FOLLOW = {("place", "blue"), ("blue", "at"), ("at", "f"), ("place", "red"), ("red", "now")}
FOLLOW |= {("set", "blue"), ("blue", "now")}
FOLLOW |= {(end, start) for end in ("f", "now") for start in ("place", "set")}


@given(st.integers(1, 20), st.integers())
def test_words_follow_as_they_do_in_the_lines(count: int, seed: int) -> None:
    written, spoken = WordTexts(LINES, symbols=False)(Random(seed), count)
    words = written.split()
    assert written == spoken and len(words) == count and words[0] in ("place", "set")
    assert set(itertools.pairwise(words)) <= FOLLOW


def test_symbols_are_letters_and_digits_by_their_names() -> None:
    texts = WordTexts(["word"])
    pairs = set()
    for seed in range(300):
        written, spoken = texts(Random(seed), 6)
        pairs |= set(zip(written.split(), spoken.split(), strict=True))
    names = {written for written, _ in pairs}
    assert names == {"word", *string.ascii_lowercase, *DIGITS}
    assert {("z", "z"), ("z", "zed"), ("a", "eh"), ("b", "b")} <= pairs
    assert all(written == spoken for written, spoken in pairs if written not in ("a", "z"))


def test_the_same_draw_is_the_same_text() -> None:
    texts = WordTexts(LINES)
    assert texts(Random(3), 9) == texts(Random(3), 9) != texts(Random(4), 9)


@pytest.mark.parametrize("lines", [[], [""], ["  ", "\n"]])
def test_lines_without_words_are_refused(lines: list[str]) -> None:
    with pytest.raises(ValueError, match="lines with words"):
        WordTexts(lines)


def test_sentences_are_said_by_the_names_of_their_letters_and_digits() -> None:
    texts = SentenceTexts(lambda draw: "Set a 40 now")
    assert texts(Random(0), 3) == ("Set a 40 now", "Set eh four zero now")


def test_the_share_of_foreign_sentences_is_kept() -> None:
    texts = SentenceTexts(lambda draw: "lamp on", foreign_share=0.25)
    drawn = [texts(Random(seed), 3)[0] for seed in range(2000)]
    foreign = [text for text in drawn if text != "lamp on"]
    assert 0.2 < len(foreign) / len(drawn) < 0.3
    assert len(set(foreign)) > 0.9 * len(foreign)
    assert all(set(text) <= set(string.ascii_lowercase + string.digits + " ") for text in foreign)


def test_what_is_foreign_is_never_a_sentence_of_its_own_and_writes_numbers_alike() -> None:
    digits = SentenceTexts(lambda draw: " ".join(draw.choices(DIGITS, k=3)), foreign_share=1.0)
    numerals = SentenceTexts(lambda draw: str(draw.randint(100, 999)), foreign_share=1.0)
    some_numeral = False
    for seed in range(300):
        written, _ = digits(Random(seed), 3)
        assert not set(written.split()) <= set(DIGITS)
        assert not any(character.isdigit() for character in written)
        written, _ = numerals(Random(seed), 3)
        assert not written.replace(" ", "").isdigit()
        some_numeral |= any(character.isdigit() for character in written)
    assert some_numeral


def test_near_sentences_keep_half_of_their_words_and_have_another() -> None:
    own = ["turn", "it", "on", "now"]
    texts = SentenceTexts(lambda draw: " ".join(own), foreign_share=1.0, near_share=1.0)
    for number in range(200):
        written, _ = texts(Random(number), 4)
        words = written.split()
        kept = sum(word == mine for word, mine in zip(words, own, strict=True))
        assert 2 <= kept < 4
    one_word = SentenceTexts(lambda draw: "on", foreign_share=1.0, near_share=1.0)
    assert all(one_word(Random(number), 1)[0] != "on" for number in range(50))


def test_a_share_of_foreign_sentences_are_near_ones() -> None:
    texts = SentenceTexts(lambda draw: "lamp on", foreign_share=1.0, near_share=0.5)
    written = [texts(Random(number), 2)[0] for number in range(400)]
    near = sum("lamp" in text or text.endswith(" on") for text in written)
    assert 150 < near < 250
