"""Who listens: what every recogniser that judges has, and how it fails."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from torch import Tensor

from ctcasr.text import Reference

THIRD_PARTY = ("a third party: what it was trained on is not known",)
SHOWN_LETTERS = 40  # of a value that was not expected


class JudgeError(ValueError):
    """A recogniser that may not judge, or that cannot be found."""


class TextsError(JudgeError):
    """A recogniser that returned something else than as many texts as there were sounds.

    `sound` is the index of that at fault; None where it is not known.
    """

    def __init__(self, message: str, sound: int | None = None) -> None:
        super().__init__(message)
        self.sound = sound


class Judge(Protocol):
    """A recogniser with a name and a way of writing of its own.

    `heard` holds hashes of its training audio, `fingerprint` its own ("": not known).
    """

    name: str
    fingerprint: str
    heard: frozenset[str]
    remarks: tuple[str, ...]

    def reference(self, text: str) -> Reference:
        """What of a text it can write, of its own words too."""

    def listen(self, sounds: Sequence[Tensor], rate_hz: int) -> list[str]:
        """Texts of samples [N]."""


def texts_of(name: str, returned: object, sounds: int) -> list[str]:
    """What a recogniser returned, as a list of texts.

    Raises:
        TextsError: where it is anything but as many texts.

    Example:
        >>> texts_of("asr:f", ("one", "two"), 2)
        ['one', 'two']
    """
    is_one_value = returned is None or isinstance(returned, str | bytes | dict)
    if is_one_value or not isinstance(returned, Iterable):
        raise TextsError(f"{name}: expected a list of {sounds} texts; got {_short(returned)}")
    texts: list[str] = []
    values = list(returned)
    if len(values) != sounds:
        raise TextsError(f"{name}: expected {sounds} texts for {sounds} sounds; got {len(values)}")
    for index, text in enumerate(values):
        if not isinstance(text, str):
            raise TextsError(
                f"{name}: expected texts; got {_short(text)} for sound {index + 1} of {sounds}",
                index,
            )
        texts.append(text)
    return texts


def _short(value: object) -> str:
    """A value that was not expected, with its type."""
    text = repr(value)
    if len(text) > SHOWN_LETTERS:
        text = text[:SHOWN_LETTERS] + "..."
    return f"{type(value).__name__} {text}"
