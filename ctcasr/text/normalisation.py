"""One written form for texts that sound the same."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection
from functools import lru_cache

_APOSTROPHES = frozenset("'’‘ʼʹ`´′＇")
_DASHES = frozenset("-‐‑‒–—―−﹣－")
_DIGIT_WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_FORMS_KEPT = 65536  # characters whose form is remembered; a corpus has some hundreds


def normalise(text: str, keep: Collection[str] = frozenset()) -> str:
    """`text` case-folded, accents folded, apostrophes removed, dashes as spaces, spaces single.

    A character in `keep` (those of an alphabet) stays as it is, so that an alphabet with an
    apostrophe, with umlauts or with capitals keeps them; what nothing covers is left standing in
    its folded form, for `uncovered` to find.

    Example:
        >>> normalise("  Déjà-vu,  It’s!")
        'deja vu, its!'
        >>> normalise("It’s", keep="abcdefghijklmnopqrstuvwxyz'")
        "it's"
    """
    known = frozenset(keep)
    composed = unicodedata.normalize("NFC", text)
    formed = "".join(_form(character, known) for character in composed)
    return " ".join(unicodedata.normalize("NFC", formed).split())


def spell_digits(text: str) -> str:
    """`text` with every digit 0 to 9 as an English word of its own.

    Example:
        >>> spell_digits("room 42b")
        'room four two b'
    """
    spelled = re.sub("[0-9]", lambda digit: f" {_DIGIT_WORDS[int(digit.group())]} ", text)
    return " ".join(spelled.split())


@lru_cache(maxsize=_FORMS_KEPT)
def _form(character: str, known: frozenset[str]) -> str:
    """What one character is written as; itself where nothing is known about it."""
    if character.isspace():
        return " "
    for form in (character, character.casefold(), character.upper()):
        if form and known.issuperset(form):
            return form
    if character in _APOSTROPHES:
        return "'" if "'" in known else ""
    if character in _DASHES:
        return "-" if "-" in known else " "
    folded = _without_accents(character.casefold())
    if folded == character:
        return character
    # what folding brings to light may be a capital, an apostrophe or a dash again
    return "".join(_form(part, known) for part in folded)


def _without_accents(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text)
    bare = "".join(character for character in decomposed if not unicodedata.combining(character))
    return unicodedata.normalize("NFC", bare)
