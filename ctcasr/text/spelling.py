"""Names that somebody misspelt: what they may have meant."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The end of a message that names the nearest known word; empty where none is near.

    Example:
        >>> did_you_mean("--epoch", ["--epochs", "--seed"])
        "; did you mean '--epochs'?"
        >>> did_you_mean("YES", ["no", "yes"])
        "; did you mean 'yes'?"
        >>> did_you_mean("piano", ["no", "yes"])
        ''
    """
    by_small_letters = {name.casefold(): name for name in known}
    nearest = difflib.get_close_matches(word.casefold(), by_small_letters, n=1)
    return f"; did you mean {by_small_letters[nearest[0]]!r}?" if nearest else ""


def expected_one_of(what: str, known: Collection[str], got: str) -> str:
    """The message about a name that stands for nothing, or one that was left out (empty).

    Example:
        >>> expected_one_of("a fruit", ["apple", "pear"], "appel")
        "expected a fruit (apple, pear); got 'appel'; did you mean 'apple'?"
        >>> expected_one_of("a fruit", [], "")
        'expected a fruit (there is none); got none'
    """
    listed = ", ".join(known) or "there is none"
    came = repr(got) if got else "none"
    return f"expected {what} ({listed}); got {came}{did_you_mean(got, known)}"
