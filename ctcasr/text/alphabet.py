"""An alphabet: one symbol per character, and the blank before them."""

from __future__ import annotations

import string
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ctcasr.text.normalisation import normalise
from ctcasr.text.tokenizer import UncoveredText


@dataclass(frozen=True)
class Alphabet:
    """A tokenizer of single characters: `symbols[i]` has number i + 1, number 0 is the blank."""

    symbols: tuple[str, ...]
    strict: bool = False  # raise UncoveredText instead of leaving characters out
    _number: dict[str, int] = field(init=False, repr=False, compare=False)
    _known: frozenset[str] = field(init=False, repr=False, compare=False)

    def __init__(self, symbols: Iterable[str], strict: bool = False) -> None:
        symbols = tuple(symbols)
        for symbol in symbols:
            if not isinstance(symbol, str) or len(symbol) != 1:
                raise ValueError(
                    f"alphabet: expected symbols of one character each; got {symbol!r}"
                )
        twice = sorted(symbol for symbol, count in Counter(symbols).items() if count > 1)
        if not symbols or twice:
            raise ValueError(
                f"alphabet: expected at least one symbol, each once; got {len(symbols)}, twice: {twice}"
            )
        if any(symbol.isspace() and symbol != " " for symbol in symbols):
            raise ValueError(
                "alphabet: expected no white space but the plain space; every other is written as one"
            )
        object.__setattr__(self, "symbols", symbols)
        object.__setattr__(self, "strict", strict)
        object.__setattr__(
            self, "_number", {symbol: index for index, symbol in enumerate(symbols, start=1)}
        )
        object.__setattr__(self, "_known", frozenset(symbols))

    @staticmethod
    def english38(strict: bool = False) -> Alphabet:
        """Blank, space, a to z, 0 to 9."""
        return Alphabet(" " + string.ascii_lowercase + string.digits, strict)

    @staticmethod
    def english29(strict: bool = False) -> Alphabet:
        """Blank, space, a to z, apostrophe."""
        return Alphabet(" " + string.ascii_lowercase + "'", strict)

    @property
    def size(self) -> int:
        return len(self.symbols) + 1

    @property
    def blank(self) -> int:
        return 0

    def normalise(self, text: str) -> str:
        """The form in which texts are encoded and compared; characters of the alphabet stay as they are."""
        return normalise(text, self._known)

    def covered(self, text: str) -> str:
        """What of the normalised text the alphabet can write; UncoveredText in strict mode where that is not all."""
        normal = self.normalise(text)
        kept = "".join(char for char in normal if char in self._known)
        if len(kept) == len(normal):
            return normal
        if self.strict:
            raise UncoveredText(text, self.uncovered(text))
        return " ".join(kept.split())

    def encode(self, text: str) -> list[int]:
        """Numbers of the characters of `text`."""
        return [self._number[char] for char in self.covered(text)]

    def decode(self, ids: Sequence[int]) -> str:
        """Text of collapsed numbers without blanks; white space collapsed."""
        for index in ids:
            self._check(index, least=1)
        return " ".join("".join(self.symbols[index - 1] for index in ids).split())

    def uncovered(self, text: str) -> dict[str, int]:
        """Characters of the normalised text that are not in the alphabet, with counts."""
        return dict(Counter(char for char in self.normalise(text) if char not in self._known))

    def symbol(self, index: int) -> str:
        """The character, "_" for the space, "<b>" for the blank."""
        self._check(index, least=0)
        if index == 0:
            return "<b>"
        return "_" if self.symbols[index - 1] == " " else self.symbols[index - 1]

    def to_state(self) -> dict[str, Any]:
        """Plain data for a checkpoint."""
        return {"kind": "alphabet", "symbols": list(self.symbols), "strict": self.strict}

    @staticmethod
    def from_state(state: Mapping[str, Any]) -> Alphabet:
        """The alphabet that `to_state` described."""
        return Alphabet(state["symbols"], bool(state["strict"]))

    def _check(self, index: int, least: int) -> None:
        if not least <= index < self.size:
            hint = "; collapse the path and remove blanks first" if index == 0 else ""
            raise ValueError(
                f"expected symbol numbers within {least}..{self.size - 1}; got {index}{hint}"
            )
