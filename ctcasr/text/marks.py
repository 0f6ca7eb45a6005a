"""Words in a transcript that nobody said: remarks in brackets, marks of speakers."""

from __future__ import annotations

import re

_BRACKETED = re.compile(
    r"\[[^\[\]]*\]|\([^()]*\)|\{[^{}]*\}|<[^<>]*>|⟨[^⟨⟩]*⟩|（[^（）]*）|【[^【】]*】"
)
_STARRED = re.compile(r"\*[^\s*][^*]*\*")  # *laughs*
_NAMES_OF_SPEAKERS = "spk|speaker|spkr|sprecher|interviewer|interviewee|moderator|host|guest"
_NUMBER_OR_LETTER = r"[ _#-]?\d{1,3}|[ _#-][a-z]"
_SPEAKER = re.compile(
    rf"(?:^|(?<=\s))(?:(?:{_NAMES_OF_SPEAKERS})(?:{_NUMBER_OR_LETTER})?|[a-z])\s?:(?=\s|$)",
    re.IGNORECASE,
)
_TURN = re.compile(r"(?:^|(?<=\s))>>+(?=\s|\w)")  # subtitles: another person speaks
_MUSIC = re.compile("[♩♪♫♬]+")


def find_marks(text: str) -> tuple[str, ...]:
    """What of a text looks like a remark about the sound and not like words, in order.

    Remarks in brackets of any kind or between stars, marks of speakers ("spk1:", "Speaker 2:",
    "A:"), turns (">>") and notes of music. They become targets unless somebody takes them out.

    Example:
        >>> find_marks("spk1: well [noise] so (inaudible) it is")
        ('spk1:', '[noise]', '(inaudible)')
        >>> find_marks("it is five: a number")
        ()
    """
    places: list[tuple[int, str]] = []
    for pattern in (_BRACKETED, _STARRED, _SPEAKER, _TURN, _MUSIC):
        for match in pattern.finditer(text):
            places.append((match.start(), match.group()))
    return tuple(mark for _, mark in sorted(places))
