"""Sentence pieces: the same protocol, kept as bytes."""

from __future__ import annotations

import pickle
import random
import string
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ctcasr.text import (
    Alphabet,
    Pieces,
    Tokenizer,
    UncoveredText,
    make_tokenizer,
    tokenizer_from_state,
)

_WORDS = [
    "bin",
    "lay",
    "place",
    "set",
    "blue",
    "green",
    "red",
    "white",
    "at",
    "by",
    "in",
    "with",
    "again",
    "now",
    "please",
    "soon",
    "one",
    "two",
    "three",
]


def _texts() -> list[str]:
    draw = random.Random(0)
    return [" ".join(draw.choices(_WORDS, k=6)) for _ in range(200)]


PIECES = Pieces.train(_texts(), 50)


@settings(max_examples=50)
@given(st.text(alphabet=" " + string.ascii_lowercase + string.digits))
def test_decode_undoes_encode_for_every_character_of_the_alphabet(text: str) -> None:
    ids = PIECES.encode(text)
    assert PIECES.decode(ids) == " ".join(text.split())
    assert all(0 < index < PIECES.size for index in ids)


def test_size_is_what_was_asked_for_and_words_become_short() -> None:
    assert PIECES.size == 50
    text = "place blue at again"
    assert len(PIECES.encode(text)) < len(text)
    assert isinstance(PIECES, Tokenizer)


def test_training_twice_gives_the_same_bytes() -> None:
    assert Pieces.train(_texts(), 50) == PIECES


def test_text_is_normalised_and_the_rest_reported() -> None:
    assert PIECES.encode("Place-BLUE\u2019s!") == PIECES.encode("place blues")
    assert PIECES.uncovered("Place!") == {"!": 1}
    with pytest.raises(UncoveredText):
        make_tokenizer("pieces:60", _texts(), strict=True).encode("Place!")


def test_the_model_lives_in_a_checkpoint(tmp_path: Path) -> None:
    torch.save(PIECES.to_state(), tmp_path / "state.pt")
    again = tokenizer_from_state(torch.load(tmp_path / "state.pt", weights_only=True))
    assert again == PIECES and again.encode("lay red") == PIECES.encode("lay red")
    assert pickle.loads(pickle.dumps(PIECES)) == PIECES


def test_symbols() -> None:
    assert PIECES.symbol(0) == "<b>"
    assert any(PIECES.symbol(index).startswith("_") for index in PIECES.encode("place"))
    with pytest.raises(ValueError, match="piece numbers"):
        PIECES.decode([0])


def test_a_small_corpus_gives_as_many_as_it_can() -> None:
    few = Pieces.train(["ab ab", "ba"], 1000, Alphabet("ab "))
    assert 4 <= few.size < 1000 and few.decode(few.encode("abba ba")) == "abba ba"


def test_bad_training() -> None:
    with pytest.raises(ValueError, match="size"):
        Pieces.train(_texts(), 10)
    with pytest.raises(ValueError, match="texts"):
        Pieces.train(["!", ""], 60)
    with pytest.raises(ValueError, match="pieces:N"):
        make_tokenizer("klingon")
