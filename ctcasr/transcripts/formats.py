"""Words with their times as files that others read: CTM, Praat's TextGrid, and JSON lines.

CTM is NIST's (SCTK, "infmts"): recording, channel, start, duration, word, confidence. TextGrid is
Praat's long text form, in UTF-8. The JSON is described in docs/transcripts.md.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ctcasr.decoding.hypothesis import Hypothesis, Word, finite_or_none

TIME_DIGITS = 3  # of times in seconds: a frame has 10 ms or more
_CONFIDENCE_DIGITS = 4
_CHANNEL = "1"


@dataclass(frozen=True)
class TimedWord:
    """A word with its times in whole milliseconds."""

    text: str
    start_ms: int
    end_ms: int
    confidence: float | None = None


def timeline(words: Sequence[Word]) -> list[TimedWord]:
    """Words one after the other: none is empty, none begins before the one in front has ended.

    Where pieces of a long recording meet, their words may overlap by some frames.

    Example:
        >>> timeline([Word("a", 0.0, 0.5), Word("b", 0.4, 0.4)])[1]
        TimedWord(text='b', start_ms=500, end_ms=501, confidence=None)
    """
    timed = []
    ended_ms = 0
    for word in words:
        start_ms = max(round(1000 * word.start_s), ended_ms)
        ended_ms = max(round(1000 * word.end_s), start_ms + 1)
        timed.append(TimedWord(word.text, start_ms, ended_ms, word.confidence))
    return timed


def ctm_name(recording: str) -> str:
    """A recording's name as CTM can hold it: blanks become "_".

    Example:
        >>> ctm_name("a b")
        'a_b'
    """
    return re.sub(r"\s", "_", recording)


def to_ctm(recording: str, hypothesis: Hypothesis) -> str:
    """A line for each word; nothing where nothing was said. The name is written by `ctm_name`.

    Example:
        >>> to_ctm("a b", Hypothesis("yes", (Word("yes", 0.5, 0.75),), (), 0.0))
        'a_b 1 0.500 0.250 yes\\n'
    """
    name = ctm_name(recording)
    lines = []
    for word in timeline(hypothesis.words):
        duration_s = (word.end_ms - word.start_ms) / 1000
        line = f"{name} {_CHANNEL} {word.start_ms / 1000:.3f} {duration_s:.3f} {word.text}"
        if word.confidence is not None:
            line += f" {word.confidence:.{_CONFIDENCE_DIGITS}f}"
        lines.append(line + "\n")
    return "".join(lines)


def to_textgrid(hypothesis: Hypothesis, duration_s: float) -> str:
    """One interval tier, "words", from 0 to the end of the recording; pauses are empty intervals.

    Example:
        >>> grid = to_textgrid(Hypothesis("yes", (Word("yes", 0.5, 0.75),), (), 0.0), 2.0)
        >>> [line.strip() for line in grid.splitlines() if "text" in line]
        ['text = ""', 'text = "yes"', 'text = ""']
    """
    intervals = _intervals(timeline(hypothesis.words), round(1000 * duration_s))
    end_s = f"{intervals[-1].end_ms / 1000:.3f}"
    lines = [
        'File type = "ooTextFile"',
        'Object class = "TextGrid"',
        "",
        "xmin = 0",
        f"xmax = {end_s}",
        "tiers? <exists>",
        "size = 1",
        "item []:",
        "    item [1]:",
        '        class = "IntervalTier"',
        '        name = "words"',
        "        xmin = 0",
        f"        xmax = {end_s}",
        f"        intervals: size = {len(intervals)}",
    ]
    for number, interval in enumerate(intervals, 1):
        quoted = interval.text.replace('"', '""')
        lines += [
            f"        intervals [{number}]:",
            f"            xmin = {interval.start_ms / 1000:.3f}",
            f"            xmax = {interval.end_ms / 1000:.3f}",
            f'            text = "{quoted}"',
        ]
    return "\n".join(lines) + "\n"


def _intervals(words: Sequence[TimedWord], duration_ms: int) -> list[TimedWord]:
    """Words and the pauses between them, without gaps; at least one interval."""
    intervals = []
    ended_ms = 0
    for word in words:
        if word.start_ms > ended_ms:
            intervals.append(TimedWord("", ended_ms, word.start_ms))
        intervals.append(word)
        ended_ms = word.end_ms
    if ended_ms < duration_ms or not intervals:
        intervals.append(TimedWord("", ended_ms, max(duration_ms, 1)))
    return intervals


def to_json(path: str, hypothesis: Hypothesis, duration_s: float) -> str:
    """One line of JSON about a recording, as docs/transcripts.md describes it.

    Example:
        >>> to_json("a.wav", Hypothesis("", (), (), -0.5), 2.0)
        '{"audio_filepath": "a.wav", "duration": 2.0, "text": "", "score": -0.5, "bonus": 0.0, ...
    """
    line = {
        "audio_filepath": path,
        "duration": round(duration_s, TIME_DIGITS),
        **_as_plain(hypothesis),
        "alternatives": [_as_plain(other) for other in hypothesis.others],
    }
    return json.dumps(line, ensure_ascii=False, allow_nan=False)


def _as_plain(hypothesis: Hypothesis) -> dict[str, Any]:
    """Text, score and words of one hypothesis."""
    return {
        "text": hypothesis.text,
        "score": finite_or_none(hypothesis.score),
        "bonus": finite_or_none(hypothesis.bonus),
        "words": [_plain_word(word) for word in hypothesis.words],
    }


def _plain_word(word: Word) -> dict[str, Any]:
    confidence = word.confidence
    if confidence is not None:
        confidence = round(confidence, _CONFIDENCE_DIGITS)
    return {
        "word": word.text,
        "start_s": round(word.start_s, TIME_DIGITS),
        "end_s": round(word.end_s, TIME_DIGITS),
        "confidence": confidence,
    }
