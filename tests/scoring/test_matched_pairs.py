"""MAPSSWE: segments as NIST bounds them, and the numbers that its sc_stats prints."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, norm

from ctcasr.scoring.errors import word_errors
from ctcasr.scoring.matched_pairs import (
    AlignedWords,
    Segment,
    aligned_words,
    matched_pairs,
    segments,
)
from tools.study.sctk_agreement import Alignments, ours, words_of

# Alignments by sclite and numbers by sc_stats (Debian's sctk 2.4.10), as
# tools/study/sctk_agreement.py --keep wrote them.
SETS = json.loads((Path(__file__).parent / "sctk.json").read_text(encoding="utf-8"))

Texts = st.lists(st.sampled_from("abcd"), max_size=8)


@pytest.mark.parametrize("kept", SETS, ids=lambda kept: f"{len(kept['alignments']['first'])}")
def test_segments_and_z_are_those_of_sc_stats(kept: dict[str, Any]) -> None:
    found = ours(Alignments(**kept["alignments"]))
    theirs = kept["sc_stats"]
    for name in ("segments", "mean", "deviation", "z"):
        assert found[name] == theirs[name], name
    # sc_stats reads the normal distribution from a table for z with two digits
    assert float(found["mapsswe"]) == pytest.approx(float(theirs["mapsswe"]), abs=0.004)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ("CCCC", "CCCC", []),
        ("SCCD", "CCCC", [Segment(1, 0), Segment(1, 0)]),
        ("SCDC", "CCCC", [Segment(2, 0)]),  # one correct word bounds nothing
        ("SCC", "SCC", [Segment(1, 1)]),
        ("CICC", "CCC", [Segment(1, 0)]),
        ("SCICC", "CCCC", [Segment(2, 0)]),  # an insertion parts two correct words
        ("SCC", "CCCI", [Segment(1, 0), Segment(0, 1)]),
        ("", "II", [Segment(0, 2)]),
    ],
)
def test_two_words_that_both_have_right_end_a_segment(
    first: str, second: str, expected: list[Segment]
) -> None:
    assert segments(words_of(first), words_of(second)) == expected


@given(Texts, Texts, Texts)
def test_no_error_is_lost_or_counted_twice(
    reference: list[str], first: list[str], second: list[str]
) -> None:
    one = aligned_words(reference, first)
    other = aligned_words(reference, second)
    found = segments(one, other)
    assert sum(segment.first for segment in found) == one.errors
    assert sum(segment.second for segment in found) == other.errors
    assert one.errors == word_errors(" ".join(reference), " ".join(first)).errors
    swapped = segments(other, one)
    assert [(s.second, s.first) for s in swapped] == [(s.first, s.second) for s in found]


def test_alignments_of_different_references_are_refused() -> None:
    with pytest.raises(ValueError, match="the same reference; got 1 and 2 words"):
        segments(AlignedWords((True,), (0, 0)), AlignedWords((True, True), (0, 0, 0)))


def test_nothing_to_compare_is_no_difference() -> None:
    assert matched_pairs([]).p == 1.0
    assert matched_pairs([Segment(3, 0)]).p == 1.0
    assert matched_pairs([Segment(1, 1), Segment(2, 2)]).p == 1.0


@pytest.mark.parametrize("count", [2, 3, 5, 12])
@pytest.mark.parametrize(("first", "second"), [(1, 0), (0, 2), (3, 1)])
def test_segments_that_all_differ_alike_have_the_p_of_the_sign_test(
    count: int, first: int, second: int
) -> None:
    found = matched_pairs([Segment(first, second)] * count)
    assert found.p == pytest.approx(binomtest(0, count).pvalue)
    assert (found.mean, found.deviation) == (first - second, 0.0)
    assert found.z * found.mean > 0
    assert 2 * norm.sf(abs(found.z)) == pytest.approx(found.p)
    assert math.isfinite(matched_pairs([Segment(first, second)] * 5000).z)
