"""Subtitles: read again, they have all words in order; cues do not overlap and can be read."""

from __future__ import annotations

import re
from html import unescape

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctcasr.decoding.hypothesis import Hypothesis, Word
from ctcasr.transcripts.subtitles import LINE_CHARACTERS, LINES, LONGEST_MS, cues_of, to_srt, to_vtt

STAMP = re.compile(r"(\d\d+):([0-5]\d):([0-5]\d)[,.](\d{3})")
TEXTS = st.text("aż字<&>-.", min_size=1, max_size=50)
LENGTHS = st.floats(0.0, 2.0)
SAID = st.lists(st.tuples(TEXTS, LENGTHS, LENGTHS), max_size=12)


def spoken(said: list[tuple[str, float, float]]) -> Hypothesis:
    """Words with a pause before each, and how long each lasts."""
    words = []
    now_s = 3599.0
    for text, pause_s, length_s in said:
        words.append(Word(text, now_s + pause_s, now_s + pause_s + length_s))
        now_s = words[-1].end_s
    return Hypothesis(" ".join(word.text for word in words), tuple(words), (), 0.0)


def milliseconds(stamp: str) -> int:
    match = STAMP.fullmatch(stamp)
    assert match is not None, stamp
    hours, minutes, seconds, rest = (int(part) for part in match.groups())
    return 1000 * (60 * (60 * hours + minutes) + seconds) + rest


def read_cues(text: str, numbered: bool) -> list[tuple[int, int, list[str]]]:
    """Start, end and lines of each cue."""
    blocks = [block for block in text.split("\n\n") if block]
    cues = []
    for number, block in enumerate(blocks, 1):
        lines = block.removesuffix("\n").split("\n")
        if numbered:
            assert lines.pop(0) == str(number)
        start, end = lines[0].split(" --> ")
        cues.append((milliseconds(start), milliseconds(end), lines[1:]))
    return cues


@settings(deadline=None, max_examples=60)
@given(SAID, st.none() | st.integers(1, 3))
def test_subrip_read_again_has_all_words(
    said: list[tuple[str, float, float]], most: int | None
) -> None:
    cues = read_cues(to_srt(spoken(said), most), numbered=True)
    words = [word for _, _, lines in cues for line in lines for word in line.split(" ")]
    assert words == [text for text, _, _ in said]
    for _, _, lines in cues:
        assert len(lines) <= LINES or len(" ".join(lines).split(" ")) == 1
        assert all(len(line) <= LINE_CHARACTERS or " " not in line for line in lines)
        assert most is None or len(" ".join(lines).split(" ")) <= most
    ends = [time for start, end, _ in cues for time in (start, end)]
    assert ends == sorted(ends) and all(start < end for start, end, _ in cues)


@settings(deadline=None, max_examples=60)
@given(SAID)
def test_webvtt_read_again_has_all_words_with_times_inside_their_cue(
    said: list[tuple[str, float, float]],
) -> None:
    text = to_vtt(spoken(said))
    heading, _, rest = text.partition("\n\n")
    assert heading.strip() == "WEBVTT"
    words = []
    for start, end, lines in read_cues(rest, numbered=False):
        content = "\n".join(lines)
        stamps = [milliseconds(stamp) for stamp in re.findall(r"<([\d:.]+)>", content)]
        assert stamps == sorted(set(stamps)) and all(start < stamp < end for stamp in stamps)
        plain = re.sub(r"<[\d:.]+>", "", content)
        assert "<" not in plain and "-->" not in plain
        words += unescape(plain).split()
    assert words == [text for text, _, _ in said]


def test_a_pause_and_seven_seconds_end_a_cue() -> None:
    steady = spoken([("a", 0.1, 0.9)] * 20)
    cues = cues_of(steady)
    assert len(cues) > 2
    assert all(cue.end_ms - cue.start_ms <= LONGEST_MS for cue in cues)
    paused = cues_of(spoken([("a", 0.0, 0.1), ("b", 0.79, 0.1), ("c", 0.81, 0.1)]))
    assert [cue.text for cue in paused] == ["a b", "c"]


def test_a_short_cue_stays_as_long_as_nothing_is_said() -> None:
    first, last = cues_of(spoken([("a", 0.0, 0.1), ("b", 0.1, 0.1)]), 1)
    assert first.end_ms == last.start_ms
    assert last.end_ms - last.start_ms == 1000


def test_nothing_said_is_an_empty_file() -> None:
    assert to_srt(spoken([])) == ""
    assert to_vtt(spoken([])) == "WEBVTT\n"


def test_fewer_than_one_word_is_refused() -> None:
    with pytest.raises(ValueError, match="expected 1 or more; got 0"):
        cues_of(spoken([]), 0)
