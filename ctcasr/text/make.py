"""A tokenizer by the name that recipes and settings use."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

from ctcasr.text.alphabet import Alphabet
from ctcasr.text.pieces import Pieces
from ctcasr.text.tokenizer import Digits, Tokenizer
from ctcasr.text.whole_words import WholeWords


def make_tokenizer(
    name: str, texts: Iterable[str] = (), strict: bool = False, digits: str = "keep"
) -> Tokenizer:
    """The tokenizer "english38", "english29", "pieces:N" or "words:N"; those learn from `texts`.

    Raises:
        ValueError: for another name, a rule other than "keep" and "spell", or pieces that cannot
            be learnt.

    Example:
        >>> make_tokenizer("english29").size
        29
    """
    rule = cast(Digits, digits)  # which Alphabet checks
    if name == "english38":
        return Alphabet.english38(strict, rule)
    if name == "english29":
        return Alphabet.english29(strict, rule)
    kind, _, size = name.partition(":")
    if kind == "pieces" and size.isdecimal():
        return Pieces.train(texts, int(size), Alphabet.english38(strict, rule))
    if kind == "words" and size.isdecimal():
        return WholeWords.learn(texts, int(size), Alphabet.english38(strict, rule))
    raise ValueError(
        "text: expected english38, english29, pieces:N (as pieces:200) or words:N (as words:20); "
        f"got {name!r}"
    )
