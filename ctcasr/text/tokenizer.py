"""What every tokenizer can do, whatever its symbols are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Protocol, runtime_checkable

from ctcasr.text.reference import Reference

Digits = Literal["keep", "spell"]


class UncoveredText(ValueError):
    """A text holds characters that the alphabet does not (strict mode); `characters` are those."""

    def __init__(self, text: str, characters: Mapping[str, int]) -> None:
        self.characters = dict(characters)
        named = ", ".join(f"{char!r} x{count}" for char, count in self.characters.items())
        super().__init__(
            f"expected only characters of the alphabet; got {named} in {text!r}; correct the text, "
            "choose another alphabet, or leave strict mode to have them left out and counted"
        )


@runtime_checkable
class Tokenizer(Protocol):
    """Texts to symbol numbers and back; number 0 is the blank, which no text holds."""

    @property
    def size(self) -> int:
        """Number of symbols, the blank among them: the width of the logits."""
        ...

    @property
    def blank(self) -> int:
        """Number of the blank: 0."""
        ...

    @property
    def digits(self) -> Digits:
        """Are digits kept, or spelled as English words?"""
        ...

    def normalise(self, text: str) -> str:
        """The form of a text before what cannot be written is taken out."""
        ...

    def reference(self, text: str) -> Reference:
        """What of a text can be written, which is what training, scores and language models use."""
        ...

    def encode(self, text: str) -> list[int]:
        """Symbol numbers of the reference of `text`.

        Raises:
            UncoveredText: in strict mode, where something would be taken out.
        """
        ...

    def decode(self, ids: Sequence[int]) -> str:
        """The text of collapsed symbol numbers without blanks."""
        ...

    def uncovered(self, text: str) -> dict[str, int]:
        """Characters that `encode` would leave out, with their counts."""
        ...

    def symbol(self, index: int) -> str:
        """A short printable name of one symbol.

        A "_" in front (or alone: the space) says that a word begins with it or behind it.
        """
        ...

    def to_state(self) -> dict[str, Any]:
        """Plain data (str, int, list, bytes) from which `tokenizer_from_state` makes the same."""
        ...


def tokenizer_from_state(state: Mapping[str, Any]) -> Tokenizer:
    """The tokenizer that `to_state` described.

    Raises:
        ValueError: where the kind is unknown.

    Example:
        >>> from ctcasr.text import Alphabet
        >>> tokenizer_from_state(Alphabet.english29().to_state()) == Alphabet.english29()
        True
    """
    from ctcasr.text.alphabet import Alphabet
    from ctcasr.text.pieces import Pieces
    from ctcasr.text.whole_words import WholeWords

    kind = state.get("kind")
    if kind == "alphabet":
        return Alphabet.from_state(state)
    if kind == "pieces":
        return Pieces.from_state(state)
    if kind == "words":
        return WholeWords.from_state(state)
    raise ValueError(
        f"tokenizer: expected kind 'alphabet', 'pieces' or 'words'; got {kind!r}; is it of a newer "
        "version?"
    )
