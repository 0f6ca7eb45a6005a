"""What every tokenizer promises, and states of older versions."""

from __future__ import annotations

import pytest

from ctcasr.text import Alphabet, Pieces, Tokenizer, UncoveredText, tokenizer_from_state

SPELLING = Alphabet.english38(digits="spell")
PIECES = Pieces.train(["lay blue now", "set red again"] * 5, 45, SPELLING)


@pytest.mark.parametrize("tokenizer", [Alphabet.english29(), SPELLING, PIECES])
def test_the_rule_about_digits_travels_with_the_state(tokenizer: Tokenizer) -> None:
    assert isinstance(tokenizer, Tokenizer)
    again = tokenizer_from_state(tokenizer.to_state())
    assert again == tokenizer and again.digits == tokenizer.digits
    assert again.encode("7 up") == tokenizer.encode("7 up")


def test_older_states_kept_digits() -> None:
    state = SPELLING.to_state()
    del state["digits"]
    assert tokenizer_from_state(state) == Alphabet.english38()
    pieces = PIECES.to_state()
    del pieces["alphabet"]["digits"]
    assert tokenizer_from_state(pieces).digits == "keep"


def test_tokenizers_that_write_digits_otherwise_are_different() -> None:
    assert Alphabet.english38() != SPELLING


def test_a_rule_that_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="'keep' or 'spell'; got 'sepll'"):
        Alphabet.english38(digits="sepll")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="letters of zero to nine"):
        Alphabet(" абв", digits="spell")


def test_capitals_spell_in_capitals() -> None:
    loud = Alphabet(" ABCDEFGHIJKLMNOPQRSTUVWXYZ", digits="spell")
    assert loud.decode(loud.encode("take 5")) == "TAKE FIVE"


def test_a_sentence_tells_what_is_not_covered() -> None:
    with pytest.raises(UncoveredText, match=r"'&' x1 in 'a&b'; correct the text"):
        Alphabet.english38(strict=True).encode("a&b")
