"""An alphabet: one symbol per character, and the blank before them."""

from __future__ import annotations

import string
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, get_args

from ctcasr.text.normalisation import normalise, spell_digits
from ctcasr.text.reference import Reference, reference_of
from ctcasr.text.tokenizer import Digits, UncoveredText

_BLANK = 0
_LETTERS_OF_DIGITS = spell_digits(string.digits).replace(" ", "")


@dataclass(frozen=True)
class Alphabet:
    """A tokenizer of single characters: `symbols[i]` has number i + 1, number 0 is the blank.

    With `digits="spell"` every digit of a text is written as an English word of its own.

    Raises:
        ValueError: for symbols that are not one character each, that repeat, or that are white
            space other than the plain space; for digits to be spelled without letters for it.

    Example:
        >>> english = Alphabet.english38()
        >>> english.decode(english.encode("Hello, World 4 you!"))
        'hello world 4 you'
        >>> english.reference("Hello!")
        Reference(text='hello', taken_out={'!': 1})
        >>> Alphabet.english29(digits="spell").reference("room 42").text
        'room four two'
    """

    symbols: tuple[str, ...]
    strict: bool = False  # raise UncoveredText instead of leaving characters out
    digits: Digits = "keep"
    _number: dict[str, int] = field(init=False, repr=False, compare=False)
    _known: frozenset[str] = field(init=False, repr=False, compare=False)

    def __init__(
        self, symbols: Iterable[str], strict: bool = False, digits: Digits = "keep"
    ) -> None:
        symbols = tuple(symbols)
        _check_symbols(symbols)
        numbers = {symbol: number for number, symbol in enumerate(symbols, start=1)}
        object.__setattr__(self, "symbols", symbols)
        object.__setattr__(self, "strict", strict)
        object.__setattr__(self, "digits", digits)
        object.__setattr__(self, "_number", numbers)
        object.__setattr__(self, "_known", frozenset(symbols))
        self._check_digits()

    @staticmethod
    def english38(strict: bool = False, digits: Digits = "keep") -> Alphabet:
        """Blank, space, a to z, 0 to 9."""
        return Alphabet(" " + string.ascii_lowercase + string.digits, strict, digits)

    @staticmethod
    def english29(strict: bool = False, digits: Digits = "keep") -> Alphabet:
        """Blank, space, a to z, apostrophe."""
        return Alphabet(" " + string.ascii_lowercase + "'", strict, digits)

    @property
    def size(self) -> int:
        return len(self.symbols) + 1

    @property
    def blank(self) -> int:
        return _BLANK

    def normalise(self, text: str) -> str:
        """The form of a text before what cannot be written is taken out."""
        normal = normalise(text, self._known)
        if self.digits == "keep":
            return normal
        spelled = spell_digits(normal)
        return normal if spelled == normal else normalise(spelled, self._known)

    def reference(self, text: str) -> Reference:
        """What of a text the alphabet can write, and what was taken out; strict mode or not."""
        return reference_of(self.normalise(text), self._known)

    def covered(self, text: str) -> str:
        """The text of `reference`.

        Raises:
            UncoveredText: in strict mode, where something would be taken out.
        """
        reference = self.reference(text)
        if self.strict and not reference.complete:
            raise UncoveredText(text, reference.taken_out)
        return reference.text

    def encode(self, text: str) -> list[int]:
        """Numbers of the characters of `text`; UncoveredText as `covered` raises it."""
        return [self._number[character] for character in self.covered(text)]

    def decode(self, ids: Sequence[int]) -> str:
        """Text of collapsed numbers without blanks; white space collapsed.

        Raises:
            ValueError: for the blank, or a number that is no symbol's.
        """
        for index in ids:
            self._check_number(index, least=1)
        return " ".join("".join(self.symbols[index - 1] for index in ids).split())

    def uncovered(self, text: str) -> dict[str, int]:
        """Characters of the normalised text that are not in the alphabet, with counts."""
        return dict(self.reference(text).taken_out)

    def symbol(self, index: int) -> str:
        """The character, "_" for the space, "<b>" for the blank; ValueError for other numbers."""
        self._check_number(index, least=0)
        if index == _BLANK:
            return "<b>"
        return self.symbols[index - 1].replace(" ", "_")

    def to_state(self) -> dict[str, Any]:
        """Plain data for a checkpoint: kind, symbols, strict, digits."""
        return {
            "kind": "alphabet",
            "symbols": list(self.symbols),
            "strict": self.strict,
            "digits": self.digits,
        }

    @staticmethod
    def from_state(state: Mapping[str, Any]) -> Alphabet:
        """The alphabet that `to_state` described; older states kept digits."""
        return Alphabet(state["symbols"], bool(state["strict"]), state.get("digits", "keep"))

    def _check_digits(self) -> None:
        if self.digits not in get_args(Digits):
            raise ValueError(f"digits: expected 'keep' or 'spell'; got {self.digits!r}")
        letters = set(normalise(_LETTERS_OF_DIGITS, self._known))
        if self.digits == "spell" and not letters <= self._known:
            raise ValueError(
                "digits: expected 'keep' for an alphabet without the letters of zero to nine; "
                "got 'spell', which writes English words"
            )

    def _check_number(self, index: int, least: int) -> None:
        if least <= index < self.size:
            return
        hint = "; collapse the path and remove blanks first" if index == _BLANK else ""
        raise ValueError(
            f"expected symbol numbers within {least}..{self.size - 1}; got {index}{hint}"
        )


def _check_symbols(symbols: Sequence[str]) -> None:
    for symbol in symbols:
        if not isinstance(symbol, str) or len(symbol) != 1:
            raise ValueError(f"alphabet: expected symbols of one character each; got {symbol!r}")
        if symbol.isspace() and symbol != " ":
            raise ValueError(
                "alphabet: expected no white space but the plain space; every other is written "
                f"as one; got {symbol!r}"
            )
    repeated = sorted(symbol for symbol, count in Counter(symbols).items() if count > 1)
    if not symbols or repeated:
        raise ValueError(
            "alphabet: expected at least one symbol, each once; "
            f"got {len(symbols)}, twice: {repeated}"
        )


class OverAlphabet:
    """What a tokenizer, whose symbols spell the texts of an alphabet, has of that alphabet."""

    alphabet: Alphabet

    @property
    def digits(self) -> Digits:
        """The alphabet's rule."""
        return self.alphabet.digits

    def normalise(self, text: str) -> str:
        """The alphabet's form of a text, before what cannot be written is taken out."""
        return self.alphabet.normalise(text)

    def reference(self, text: str) -> Reference:
        """What of a text the alphabet can write, and what was taken out."""
        return self.alphabet.reference(text)

    def uncovered(self, text: str) -> dict[str, int]:
        """Characters of the normalised text that are not in the alphabet, with counts."""
        return self.alphabet.uncovered(text)
