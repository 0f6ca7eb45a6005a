"""The words that may be written."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ctcasr.text.ngram import NGram
from ctcasr.text.reference import name_characters
from ctcasr.text.tokenizer import Tokenizer
from ctcasr.text.vocabulary import compare_vocabulary


@dataclass(frozen=True)
class Lexicon:
    """Words in their written form, and everything that one of them begins with.

    Example:
        >>> from ctcasr.text import Alphabet
        >>> sorted(Lexicon.of(["Blue", "red"], Alphabet.english38()).words)
        ['blue', 'red']
    """

    words: frozenset[str]
    beginnings: frozenset[str]

    @staticmethod
    def of(words: Iterable[str], tokenizer: Tokenizer) -> Lexicon:
        """A lexicon of normalised words.

        Raises:
            ValueError: for no words, or for one that the tokenizer cannot write.
        """
        written: set[str] = set()
        for word in words:
            written.update(writable(word, tokenizer, "lexicon").split())
        if not written:
            raise ValueError("lexicon: expected at least one word; got none")
        beginnings = {word[:end] for word in written for end in range(len(word) + 1)}
        return Lexicon(frozenset(written), frozenset(beginnings))

    @staticmethod
    def of_model(model: NGram, tokenizer: Tokenizer) -> Lexicon:
        """The words of a language model that the tokenizer writes as one; ValueError for none."""
        fit = compare_vocabulary(model.words, tokenizer)
        return Lexicon.of(fit.written.values(), tokenizer)

    @staticmethod
    def read(path: Path | str, tokenizer: Tokenizer) -> Lexicon:
        """The words of a text file: the first field of every line, so that spellings may follow.

        Raises:
            ValueError: where there is no file, or not UTF-8; as `of` does.
        """
        path = Path(path)
        if not path.is_file():
            raise ValueError(f"{path}: expected a lexicon, one word a line; there is no such file")
        try:
            lines = path.read_text(encoding="utf-8-sig").splitlines()
        except UnicodeDecodeError as error:
            raise ValueError(f"{path}: expected a lexicon in UTF-8; {error}") from error
        words = [line.split()[0] for line in lines if line.strip()]
        try:
            return Lexicon.of(words, tokenizer)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error


def writable(phrase: str, tokenizer: Tokenizer, what: str) -> str:
    """The phrase as the tokenizer writes it.

    Raises:
        ValueError: where a character of it cannot be written, or nothing of it is left.
    """
    reference = tokenizer.reference(phrase)
    if not reference.complete:
        raise ValueError(
            f"{what}: expected words of the alphabet's characters; got {phrase!r} with "
            f"{name_characters(reference.taken_out)}; leave it out, or write it as it is said"
        )
    if not reference.text and phrase.strip():
        raise ValueError(f"{what}: expected words; of {phrase!r} nothing can be written")
    return reference.text
