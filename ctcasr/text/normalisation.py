"""One written form for texts that sound the same."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection
from functools import lru_cache

_APOSTROPHES = frozenset("'’‘ʼʹ`´′＇")
_DASHES = frozenset("-‐‑‒–—―−﹣－")
_DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def normalise(text: str, keep: Collection[str] = frozenset()) -> str:
    """`text` case-folded, accents folded, apostrophes removed, dashes as spaces, white space collapsed.

    A character in `keep` (those of an alphabet) stays as it is, so that an alphabet with an apostrophe, with umlauts or
    with capitals keeps them; what nothing covers is left standing in its folded form, for `uncovered` to find.
    """
    keep = keep if isinstance(keep, frozenset) else frozenset(keep)
    formed = "".join(_form(char, keep) for char in unicodedata.normalize("NFC", text))
    return " ".join(unicodedata.normalize("NFC", formed).split())


def spell_digits(text: str) -> str:
    """`text` with every digit as an English word of its own: "room 42" becomes "room four two"."""
    return " ".join(re.sub("[0-9]", lambda digit: f" {_DIGITS[int(digit.group())]} ", text).split())


@lru_cache(maxsize=65536)
def _form(char: str, keep: frozenset[str]) -> str:
    if char.isspace():
        return " "
    for form in (char, char.casefold(), char.upper()):
        if form and all(part in keep for part in form):
            return form
    if char in _APOSTROPHES:
        return "'" if "'" in keep else ""
    if char in _DASHES:
        return "-" if "-" in keep else " "
    parts = unicodedata.normalize("NFKD", char.casefold())
    folded = unicodedata.normalize(
        "NFC", "".join(part for part in parts if not unicodedata.combining(part))
    )
    # what folding brings to light may be a capital, an apostrophe or a dash again
    return folded if folded == char else "".join(_form(part, keep) for part in folded)
