"""Whole words and characters: nothing is lost, what is learnt is what is frequent."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctcasr.text import (
    Alphabet,
    Lexicon,
    Tokenizer,
    UncoveredText,
    WholeWords,
    Words,
    make_tokenizer,
    tokenizer_from_state,
)

TEXTS = ["B one", "one two ONE", "erase b one"]
TOKENIZER = WholeWords(Alphabet.english38(), ("one", "b", "on"))


@given(st.lists(st.sampled_from(["one", "b", "on", "ones", "bone", "two", "o", "7"])))
def test_decode_undoes_encode_whatever_is_whole_and_what_is_spelled(words: list[str]) -> None:
    text = " ".join(words)
    numbers = TOKENIZER.encode(text)
    assert TOKENIZER.decode(numbers) == text
    assert all(0 < number < TOKENIZER.size for number in numbers)
    assert len(numbers) <= len(text) + 1


def test_a_whole_word_is_one_symbol_and_the_same_letters_within_a_word_are_others() -> None:
    names = [TOKENIZER.symbol(number) for number in TOKENIZER.encode("b bone")]
    assert names == ["_b", "_", "b", "o", "n", "e"]
    assert TOKENIZER.symbol(TOKENIZER.blank) == "<b>"
    assert isinstance(TOKENIZER, Tokenizer)


def test_words_that_are_heard_often_enough_are_learnt_the_most_frequent_first() -> None:
    learnt = make_tokenizer("words:2", TEXTS)
    assert isinstance(learnt, WholeWords) and learnt.words == ("one", "b")
    assert make_tokenizer("words:1", TEXTS).size == Alphabet.english38().size + 4
    assert make_tokenizer("words:9", TEXTS).size == Alphabet.english38().size


def test_it_comes_back_from_its_state_and_from_another_process() -> None:
    assert tokenizer_from_state(TOKENIZER.to_state()) == TOKENIZER
    again = pickle.loads(pickle.dumps(TOKENIZER))
    assert again.encode("b bone one") == TOKENIZER.encode("b bone one")


def test_texts_are_normalised_and_the_rest_reported() -> None:
    assert TOKENIZER.encode("ONE-b!") == TOKENIZER.encode("one b")
    assert TOKENIZER.uncovered("One!") == {"!": 1}
    with pytest.raises(UncoveredText):
        make_tokenizer("words:1", ["one"], strict=True).encode("one!")


def test_a_lexicon_allows_a_word_whole_or_spelled() -> None:
    words = Words(TOKENIZER, bonus=1.0, lexicon=Lexicon.of(["one", "two"], TOKENIZER))
    spelled = [1, *TOKENIZER.alphabet.encode("one")]
    assert TOKENIZER.symbol(spelled[0]) == "_"
    for numbers in (TOKENIZER.encode("one"), spelled):
        state = words.start()
        total = 0.0
        for number in numbers:
            state, gain = words.step(state, number)
            total += gain
        assert total + words.end(state) == 1.0
    _, gain = words.step(words.start(), TOKENIZER.encode("b")[0])
    assert gain == float("-inf")


def test_a_number_that_is_no_symbol_is_refused() -> None:
    for number in (0, -1, TOKENIZER.size):
        with pytest.raises(ValueError, match="expected symbol numbers within"):
            TOKENIZER.decode([number])


@pytest.mark.parametrize("words", [("one", "one"), ("two words",), ("One",), ("",)])
def test_words_that_are_none_are_refused(words: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="words: expected"):
        WholeWords(Alphabet.english38(), words)


def test_impossible_settings_are_refused() -> None:
    with pytest.raises(ValueError, match="expected an alphabet with a space"):
        WholeWords(Alphabet("ab"), ())
    with pytest.raises(ValueError, match="got 0"):
        make_tokenizer("words:0", TEXTS)
