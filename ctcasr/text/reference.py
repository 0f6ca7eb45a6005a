"""From a text as somebody wrote it to the reference that an alphabet can write: the one road.

Training, checks, evaluation, judges, language models and the doctor all ask the tokenizer for
`reference(text)`, so that none of them counts what no output could ever hold as an error.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field

from ctcasr.text.normalisation import normalise

_NAMED = 8  # kinds of characters that a line names
_WORD_CATEGORIES = "LMN"  # of Unicode: letters, marks that stand on them, numbers


@dataclass(frozen=True)
class Reference:
    """What of a text can be written, and the characters that were taken out, with counts."""

    text: str
    taken_out: Mapping[str, int] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        """True where nothing was taken out."""
        return not self.taken_out


@dataclass
class TakenOut:
    """What was taken out of many texts; add each reference, then print it.

    Example:
        >>> taken_out = TakenOut()
        >>> taken_out.add(Reference("hello", {".": 1}))
        'hello'
        >>> print(taken_out)
        taken out of 1 of 1 texts, as the alphabet cannot write it: '.' U+002E x1
    """

    texts: int = 0
    affected: int = 0
    characters: Counter[str] = field(default_factory=Counter)

    def add(self, reference: Reference) -> str:
        """Count one more; returns its text."""
        self.texts += 1
        self.affected += not reference.complete
        self.characters.update(reference.taken_out)
        return reference.text

    def __bool__(self) -> bool:
        return bool(self.characters)

    def __str__(self) -> str:
        if not self.characters:
            return f"nothing was taken out of {self.texts} texts"
        return (
            f"taken out of {self.affected} of {self.texts} texts, as the alphabet cannot write it: "
            f"{name_characters(self.characters)}"
        )


def name_characters(characters: Mapping[str, int]) -> str:
    """Characters with code points and counts, the most frequent first, in one line.

    Example:
        >>> name_characters({".": 3, "\\u200b": 1})
        "'.' U+002E x3, '\\\\u200b' U+200B x1"
    """
    ranked = Counter(characters).most_common()
    named = [
        f"{character!r} U+{ord(character):04X} x{count}" for character, count in ranked[:_NAMED]
    ]
    if len(ranked) > _NAMED:
        named.append(f"and {len(ranked) - _NAMED} more kinds")
    return ", ".join(named)


def reference_of(normal: str, known: Collection[str]) -> Reference:
    """A normalised text without the characters that are not `known`."""
    return _without(normal, lambda character: character in known)


def plain_words(text: str) -> Reference:
    """The words of a text for somebody whose alphabet is not known: normalised, punctuation out.

    Letters, marks and numbers of every script stay.

    Example:
        >>> plain_words("Hello, World ...").text
        'hello world'
    """
    return _without(normalise(text), _belongs_to_words)


def references(
    texts: Iterable[str], road: Callable[[str], Reference]
) -> tuple[list[str], TakenOut]:
    """The references of many texts by one road (`tokenizer.reference`), and what they lost."""
    taken_out = TakenOut()
    written = [taken_out.add(road(text)) for text in texts]
    return written, taken_out


def _without(normal: str, stays: Callable[[str], bool]) -> Reference:
    taken_out = Counter(character for character in normal if not stays(character))
    if not taken_out:
        return Reference(normal)
    rest = "".join(character for character in normal if stays(character))
    return Reference(" ".join(rest.split()), dict(taken_out))


def _belongs_to_words(character: str) -> bool:
    return character == " " or unicodedata.category(character)[0] in _WORD_CATEGORIES
