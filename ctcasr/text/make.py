"""A tokenizer by the name that recipes and settings use."""

from __future__ import annotations

from collections.abc import Iterable

from ctcasr.text.alphabet import Alphabet
from ctcasr.text.pieces import Pieces
from ctcasr.text.tokenizer import Tokenizer


def make_tokenizer(name: str, texts: Iterable[str] = (), strict: bool = False) -> Tokenizer:
    """The tokenizer "english38", "english29" or "pieces:N", which is learnt from `texts`; ValueError for others."""
    if name == "english38":
        return Alphabet.english38(strict)
    if name == "english29":
        return Alphabet.english29(strict)
    kind, _, size = name.partition(":")
    if kind == "pieces" and size.isdigit():
        return Pieces.train(texts, int(size), Alphabet.english38(strict))
    raise ValueError(
        f"text: expected english38, english29 or pieces:N (as pieces:200); got {name!r}"
    )
