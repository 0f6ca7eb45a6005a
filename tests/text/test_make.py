"""Tokenizers by their names in settings."""

from __future__ import annotations

import pytest

from ctcasr.text import Alphabet, Pieces, UncoveredText, make_tokenizer


def test_alphabets_by_name() -> None:
    assert make_tokenizer("english38") == Alphabet.english38()
    assert make_tokenizer("english29", digits="spell") == Alphabet.english29(digits="spell")
    with pytest.raises(UncoveredText):
        make_tokenizer("english29", strict=True).encode("4")


def test_pieces_are_learnt_from_the_texts_in_their_written_form() -> None:
    pieces = make_tokenizer("pieces:45", ["track 7"] * 20, digits="spell")
    assert isinstance(pieces, Pieces) and pieces.digits == "spell"
    assert pieces.encode("7") == pieces.encode("seven")
    assert len(pieces.encode("seven")) < len("seven")


@pytest.mark.parametrize("name", ["klingon", "pieces", "pieces:", "pieces:-3", "pieces:²", ""])
def test_other_names_are_told(name: str) -> None:
    with pytest.raises(ValueError, match="pieces:N"):
        make_tokenizer(name, ["a"])


def test_a_rule_from_settings_is_checked() -> None:
    with pytest.raises(ValueError, match="digits: expected 'keep' or 'spell'"):
        make_tokenizer("english38", digits="words")
