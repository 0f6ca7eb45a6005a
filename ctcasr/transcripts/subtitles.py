"""Subtitles: words gathered to cues, as SubRip (.srt) and WebVTT (.vtt) files.

WebVTT is the W3C's; its cues carry the time of each word inside (`<00:00:01.250>`), which players
show as karaoke or not at all. SubRip knows cues alone: one word a cue gives it the words' times.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from ctcasr.decoding.hypothesis import Hypothesis
from ctcasr.transcripts.formats import TimedWord, timeline

# What is read with ease: at most two lines of 42 characters, for at most 7 s (the widespread
# guidelines of broadcasters); a pause ends a cue.
LINE_CHARACTERS = 42
LINES = 2
LONGEST_MS = 7000
PAUSE_MS = 800
SHORTEST_MS = 1000  # a cue stays that long, if nothing is said meanwhile


@dataclass(frozen=True)
class Cue:
    """Words that are shown together, and when, in milliseconds."""

    words: tuple[TimedWord, ...]
    start_ms: int
    end_ms: int

    @property
    def text(self) -> str:
        """The words, in one line."""
        return " ".join(word.text for word in self.words)


def cues_of(hypothesis: Hypothesis, most_words: int | None = None) -> list[Cue]:
    """Words gathered to cues: up to a pause, to two lines, to 7 s, or to so many words.

    Raises:
        ValueError: for fewer than one word.

    Example:
        >>> from ctcasr.decoding.hypothesis import Word
        >>> words = (Word("so", 0.0, 0.2), Word("it", 0.3, 0.4), Word("goes", 3.0, 3.4))
        >>> [cue.text for cue in cues_of(Hypothesis("so it goes", words, (), 0.0))]
        ['so it', 'goes']
    """
    if most_words is not None and most_words < 1:
        raise ValueError(f"words of a cue: expected 1 or more; got {most_words}")
    groups: list[list[TimedWord]] = []
    for word in timeline(hypothesis.words):
        if not groups or not _fits(groups[-1], word, most_words):
            groups.append([])
        groups[-1].append(word)
    cues = []
    for index, group in enumerate(groups):
        end_ms = max(group[-1].end_ms, group[0].start_ms + SHORTEST_MS)
        if index + 1 < len(groups):
            end_ms = min(end_ms, groups[index + 1][0].start_ms)
        cues.append(Cue(tuple(group), group[0].start_ms, end_ms))
    return cues


def _fits(group: Sequence[TimedWord], word: TimedWord, most_words: int | None) -> bool:
    """Whether one more word belongs to a cue."""
    if most_words is not None and len(group) >= most_words:
        return False
    if word.start_ms - group[-1].end_ms >= PAUSE_MS:
        return False
    text = " ".join([*(member.text for member in group), word.text])
    return word.end_ms - group[0].start_ms <= LONGEST_MS and len(_lines(text)) <= LINES


def _lines(text: str) -> list[str]:
    """Lines of whole words: a word that is longer than a line has one of its own."""
    return textwrap.wrap(text, LINE_CHARACTERS, break_long_words=False, break_on_hyphens=False)


def to_srt(hypothesis: Hypothesis, most_words: int | None = None) -> str:
    """A SubRip file; an empty one where nothing was said.

    Example:
        >>> from ctcasr.decoding.hypothesis import Word
        >>> print(to_srt(Hypothesis("yes", (Word("yes", 0.5, 2.0),), (), 0.0)))
        1
        00:00:00,500 --> 00:00:02,000
        yes
    """
    blocks = []
    for number, cue in enumerate(cues_of(hypothesis, most_words), 1):
        times = f"{_clock(cue.start_ms, ',')} --> {_clock(cue.end_ms, ',')}"
        blocks.append("\n".join([str(number), times, *_lines(cue.text)]) + "\n")
    return "\n".join(blocks)


def to_vtt(hypothesis: Hypothesis, most_words: int | None = None) -> str:
    """A WebVTT file, with the time of each word but the first of a cue inside it.

    Example:
        >>> from ctcasr.decoding.hypothesis import Word
        >>> words = (Word("so", 0.0, 0.2), Word("it", 0.3, 1.4))
        >>> print(to_vtt(Hypothesis("so it", words, (), 0.0)).splitlines()[-1])
        so <00:00:00.300>it
    """
    blocks = ["WEBVTT\n"]
    for cue in cues_of(hypothesis, most_words):
        times = f"{_clock(cue.start_ms, '.')} --> {_clock(cue.end_ms, '.')}"
        blocks.append(f"{times}\n{_with_times(cue)}\n")
    return "\n".join(blocks)


def _with_times(cue: Cue) -> str:
    """The text of a WebVTT cue: characters of its markup escaped, lines as in SubRip."""
    waiting = iter(cue.words)
    lines = []
    for line in _lines(cue.text):
        parts = []
        for _ in line.split(" "):
            word = next(waiting)
            stamp = "" if word is cue.words[0] else f"<{_clock(word.start_ms, '.')}>"
            parts.append(stamp + escape(word.text, quote=False))
        lines.append(" ".join(parts))
    return "\n".join(lines)


def _clock(milliseconds: int, point: str) -> str:
    """Hours, minutes, seconds and milliseconds: 01:02:03.456."""
    seconds, rest = divmod(milliseconds, 1000)
    minutes, second = divmod(seconds, 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours:02d}:{minute:02d}:{second:02d}{point}{rest:03d}"
