"""Alphabets: round trips, what is left out is told, states."""

from __future__ import annotations

import pickle
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctcasr.text import Alphabet, Tokenizer, UncoveredText, tokenizer_from_state

ENGLISH = Alphabet.english38()


@given(st.text(alphabet=" " + string.ascii_lowercase + string.digits))
def test_decode_undoes_encode(text: str) -> None:
    assert ENGLISH.decode(ENGLISH.encode(text)) == " ".join(text.split())


@given(st.text())
def test_every_character_is_encoded_or_reported(text: str) -> None:
    normal = ENGLISH.normalise(text)
    missing = ENGLISH.uncovered(text)
    kept = "".join(char for char in normal if char not in missing)
    assert ENGLISH.decode(ENGLISH.encode(text)) == " ".join(kept.split())
    assert sum(missing.values()) + len(kept) == len(normal)


@given(st.text())
def test_strict_refuses_exactly_what_is_uncovered(text: str) -> None:
    strict = Alphabet.english38(strict=True)
    missing = ENGLISH.uncovered(text)
    if not missing:
        assert strict.encode(text) == ENGLISH.encode(text)
        return
    with pytest.raises(UncoveredText) as caught:
        strict.encode(text)
    assert caught.value.characters == missing


def test_sizes_and_the_blank() -> None:
    assert (ENGLISH.size, Alphabet.english29().size) == (38, 29)
    assert ENGLISH.blank == 0 and 0 not in ENGLISH.encode("every letter 0")
    assert {n for char in ENGLISH.symbols for n in ENGLISH._number.values() if char} == set(
        range(1, 38)
    )
    assert isinstance(ENGLISH, Tokenizer)


def test_the_apostrophe_is_removed_unless_it_is_a_symbol() -> None:
    assert ENGLISH.decode(ENGLISH.encode("don't")) == "dont"
    assert Alphabet.english29().decode(Alphabet.english29().encode("don't")) == "don't"


def test_left_out_characters_leave_no_double_space() -> None:
    assert ENGLISH.decode(ENGLISH.encode("salt & pepper")) == "salt pepper"
    assert ENGLISH.encode("salt & pepper") == ENGLISH.encode("salt pepper")


def test_uncovered_text_names_text_characters_and_cure() -> None:
    with pytest.raises(UncoveredText, match=r"'&' x2.*'a&b&c'.*alphabet"):
        Alphabet.english38(strict=True).encode("a&b&c")


def test_numbers_outside_are_refused() -> None:
    for bad in (0, 38, -1):
        with pytest.raises(ValueError, match="symbol numbers"):
            ENGLISH.decode([1, bad])
    with pytest.raises(ValueError, match="symbol numbers"):
        ENGLISH.symbol(38)


def test_displayed_symbols_are_distinct_and_visible() -> None:
    shown = [ENGLISH.symbol(index) for index in range(ENGLISH.size)]
    assert len(set(shown)) == ENGLISH.size and all(symbol.strip() for symbol in shown)


@pytest.mark.parametrize("symbols", ["", "aa", ["ab"], [""], "a\t"])
def test_bad_symbols(symbols: str) -> None:
    with pytest.raises(ValueError, match="alphabet"):
        Alphabet(symbols)


@pytest.mark.parametrize(
    "alphabet", [ENGLISH, Alphabet.english29(strict=True), Alphabet("\u00e4\u00f6\u00fc x")]
)
def test_states_and_pickles(alphabet: Alphabet) -> None:
    assert tokenizer_from_state(alphabet.to_state()) == alphabet
    assert pickle.loads(pickle.dumps(alphabet)) == alphabet
    assert tokenizer_from_state(alphabet.to_state()).encode("x") == alphabet.encode("x")


def test_unknown_state_is_refused() -> None:
    with pytest.raises(ValueError, match="'runes'"):
        tokenizer_from_state({"kind": "runes"})
