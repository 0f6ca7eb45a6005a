"""CTM, TextGrid and JSON: read again, they are what was written; times never run backwards."""

from __future__ import annotations

import json
import math
import re
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctcasr.compare.sclite import read_ctm
from ctcasr.decoding.hypothesis import Hypothesis, Word
from ctcasr.transcripts.formats import timeline, to_ctm, to_json, to_textgrid

TEXTS = st.text("aż字\"'<&>-.", min_size=1, max_size=6)
TIMES = st.floats(0.0, 30.0)
WORDS = st.lists(st.builds(Word, TEXTS, TIMES, TIMES, st.none() | st.floats(0.0, 1.0)), max_size=8)


def hypothesis_with(words: list[Word]) -> Hypothesis:
    return Hypothesis(" ".join(word.text for word in words), tuple(words), (), -1.0)


def read_textgrid(text: str) -> tuple[float, list[tuple[float, float, str]]]:
    """The end of the tier, and its intervals."""
    number = r"([\d.]+)"
    pattern = rf'xmin = {number}\n +xmax = {number}\n +text = "((?:[^"]|"")*)"\n'
    intervals = []
    for start, end, quoted in re.findall(pattern, text):
        intervals.append((float(start), float(end), quoted.replace('""', '"')))
    (size,) = re.findall(r"intervals: size = (\d+)", text)
    assert int(size) == len(intervals)
    ends = set(re.findall(r"^ *xmax = ([\d.]+)$", text.split("intervals:")[0], re.MULTILINE))
    (end_s,) = ends
    return float(end_s), intervals


@settings(deadline=None)
@given(WORDS)
def test_times_run_forwards_and_no_word_is_lost(words: list[Word]) -> None:
    timed = timeline(words)
    assert [word.text for word in timed] == [word.text for word in words]
    ends = [time for word in timed for time in (word.start_ms, word.end_ms)]
    assert ends == sorted(ends)
    assert all(word.start_ms < word.end_ms for word in timed)


@settings(deadline=None)
@given(WORDS, st.floats(0.0, 40.0))
def test_a_textgrid_has_no_gaps_and_all_words(words: list[Word], duration_s: float) -> None:
    end_s, intervals = read_textgrid(to_textgrid(hypothesis_with(words), duration_s))
    assert [text for _, _, text in intervals if text] == [word.text for word in words]
    assert intervals[0][0] == 0.0 and intervals[-1][1] == end_s
    assert end_s >= round(duration_s, 3)
    for (_, end, _), (start, _, _) in pairwise(intervals):
        assert end == start
    assert all(start < end for start, end, _ in intervals)


def test_a_ctm_is_read_again(tmp_path: Path) -> None:
    words = [Word("żó", 0.5, 0.75, 0.25), Word("字", 1.0, 1.2)]
    path = tmp_path / "a.ctm"
    path.write_text(to_ctm("my talk", hypothesis_with(words)), encoding="utf-8")
    timed = list(read_ctm(path))
    assert [(word.text, word.start_s) for word in timed] == [("żó", 0.5), ("字", 1.0)]
    fields = [line.split() for line in path.read_text("utf-8").splitlines()]
    assert fields[0] == ["my_talk", "1", "0.500", "0.250", "żó", "0.2500"]
    assert len(fields[1]) == 5
    assert to_ctm("a", hypothesis_with([])) == ""


def test_json_is_one_line_and_has_no_infinity() -> None:
    other = Hypothesis("a", (Word("a", 0.0, 0.04, 1 / 3),), (), -2.0, bonus=0.5)
    nothing = Hypothesis("", (), (), -math.inf, (other,))
    text = to_json("ż.wav", nothing, 1.23456)
    assert "\n" not in text and "ż" in text
    line = json.loads(text)
    assert (line["score"], line["duration"], line["words"]) == (None, 1.235, [])
    (alternative,) = line["alternatives"]
    assert alternative["bonus"] == 0.5
    assert alternative["words"][0]["confidence"] == pytest.approx(1 / 3, abs=1e-4)
