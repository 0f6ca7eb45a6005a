"""The words that may be written."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ctcasr.text.tokenizer import Tokenizer


@dataclass(frozen=True)
class Lexicon:
    """Words in their normalised form, and everything that one of them begins with."""

    words: frozenset[str]
    beginnings: frozenset[str]

    @staticmethod
    def of(words: Iterable[str], tokenizer: Tokenizer) -> Lexicon:
        """A lexicon of normalised words; ValueError for none, or for one that the tokenizer cannot write."""
        kept = set()
        for word in words:
            for part in tokenizer.normalise(word).split():
                missing = tokenizer.uncovered(part)
                if missing:
                    named = ", ".join(map(repr, missing))
                    raise ValueError(
                        f"lexicon: expected words of the alphabet's characters; got {part!r} with {named}"
                    )
                kept.add(part)
        if not kept:
            raise ValueError("lexicon: expected at least one word; got none")
        return Lexicon(
            frozenset(kept), frozenset(word[:n] for word in kept for n in range(len(word) + 1))
        )

    @staticmethod
    def read(path: Path | str, tokenizer: Tokenizer) -> Lexicon:
        """The words of a text file: the first field of every line (so that a lexicon with spellings can be read too)."""
        path = Path(path)
        if not path.is_file():
            raise ValueError(f"{path}: expected a lexicon, one word a line; there is no such file")
        lines = path.read_text(encoding="utf-8").splitlines()
        return Lexicon.of([line.split()[0] for line in lines if line.strip()], tokenizer)
