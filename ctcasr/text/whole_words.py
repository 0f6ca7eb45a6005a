"""Frequent words as symbols of their own, all others by their characters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ctcasr.text.alphabet import Alphabet, OverAlphabet

_SPACE = " "


@dataclass(frozen=True)
class WholeWords(OverAlphabet):
    """A tokenizer of an alphabet's characters and, behind them, of whole `words`.

    A word that is none of them is written as a space and its characters. Where a corpus says few
    words many times (digits, spelled names, commands), a word heard whole cannot be misspelled, and
    a letter that is said has another symbol than one within a word.

    Raises:
        ValueError: for an alphabet without a space, and for words that are not one word each as
            the alphabet writes it, or that repeat.

    Example:
        >>> tokenizer = WholeWords(Alphabet.english38(), ("one", "b"))
        >>> [tokenizer.symbol(number) for number in tokenizer.encode("B two one")]
        ['_b', '_', 't', 'w', 'o', '_one']
        >>> tokenizer.decode(tokenizer.encode("B two one"))
        'b two one'
    """

    alphabet: Alphabet
    words: tuple[str, ...]

    def __post_init__(self) -> None:
        if _SPACE not in self.alphabet.symbols:
            raise ValueError("words: expected an alphabet with a space, which parts words")
        if len(set(self.words)) < len(self.words):
            raise ValueError(f"words: expected each word once; got {self.words}")
        for word in self.words:
            if len(word.split()) != 1 or self.alphabet.reference(word).text != word:
                raise ValueError(
                    f"words: expected single words as the alphabet writes them; got {word!r}"
                )

    @staticmethod
    def learn(texts: Iterable[str], least: int, alphabet: Alphabet) -> WholeWords:
        """The words that `texts` hold at least so many times, the most frequent first.

        Raises:
            ValueError: for a number below 1.
            UncoveredText: for a strict alphabet, where a text has other characters.
        """
        if least < 1:
            raise ValueError(f"words: expected words heard at least once or more; got {least}")
        counts: Counter[str] = Counter()
        for text in texts:
            counts.update(alphabet.covered(text).split())
        ranked = sorted(counts, key=lambda word: (-counts[word], word))
        frequent = [word for word in ranked if counts[word] >= least]
        return WholeWords(alphabet, tuple(frequent))

    @cached_property
    def _number(self) -> dict[str, int]:
        """Of each whole word."""
        first = self.alphabet.size
        return {word: number for number, word in enumerate(self.words, start=first)}

    @cached_property
    def _space(self) -> int:
        """Number of the space."""
        return self.alphabet.symbols.index(_SPACE) + 1

    @property
    def size(self) -> int:
        return self.alphabet.size + len(self.words)

    @property
    def blank(self) -> int:
        return self.alphabet.blank

    def encode(self, text: str) -> list[int]:
        """Numbers of the words of `text`, or of their characters; UncoveredText likewise."""
        numbers: list[int] = []
        for word in self.alphabet.covered(text).split():
            if word in self._number:
                numbers.append(self._number[word])
            else:
                numbers += [self._space, *self.alphabet.encode(word)]
        return numbers

    def decode(self, ids: Sequence[int]) -> str:
        """Text of collapsed numbers without blanks; white space collapsed.

        Raises:
            ValueError: for the blank, or a number that is no symbol's.
        """
        written = ""
        for index in ids:
            if not 1 <= index < self.size:
                raise ValueError(
                    f"expected symbol numbers within 1..{self.size - 1}; got {index}; collapse the "
                    "path and remove blanks first"
                )
            written += self.symbol(index).replace("_", _SPACE)
        return " ".join(written.split())

    def symbol(self, index: int) -> str:
        """The character, or the word with "_" before it; "<b>" for the blank.

        Raises:
            ValueError: for a number that is no symbol's.
        """
        behind = index - self.alphabet.size
        if 0 <= behind < len(self.words):
            return "_" + self.words[behind]
        return self.alphabet.symbol(index)

    def to_state(self) -> dict[str, Any]:
        """Plain data for a checkpoint: kind, words, alphabet."""
        return {"kind": "words", "words": list(self.words), "alphabet": self.alphabet.to_state()}

    @staticmethod
    def from_state(state: Mapping[str, Any]) -> WholeWords:
        """The tokenizer that `to_state` described."""
        return WholeWords(Alphabet.from_state(state["alphabet"]), tuple(state["words"]))
