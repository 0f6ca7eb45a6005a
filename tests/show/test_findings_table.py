"""The table of an examination: findings, lines as ranges, and the word at the end."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from ctcasr.doctor.examination import Examination
from ctcasr.doctor.finding import Finding
from ctcasr.show.findings_table import ranges, table

NOTHING = Examination(
    manifest="train.jsonl",
    against=None,
    lines=1204,
    utterances=1200,
    listened=1200,
    seconds=3723.0,
    speakers=3,
    frame_s=0.02,
    slack=None,
    findings=(),
)


def printed(result: Examination) -> str:
    page = io.StringIO()
    Console(file=page, width=120, color_system=None).print(table(result))
    return page.getvalue()


def finding(severity: str) -> Finding:
    return Finding("clipped", severity, "3 files clip", "lower the gain", lines=(3, 4, 5, 9))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("findings", "word"),
    [
        ((), "Ready to train."),
        ((finding("warning"),), "look at the warnings"),
        ((finding("error"), finding("warning")), "Training would be hurt: 1 error."),
    ],
)
def test_the_conclusion_follows_from_the_worst(findings: tuple[Finding, ...], word: str) -> None:
    text = printed(replace(NOTHING, findings=findings))
    assert word in text and "1 204 lines, 1:02:03 of sound" in text and "3 speakers" in text
    if findings:
        assert "3-5, 9" in text and "lower the gain" in text


@pytest.mark.parametrize("width", [60, 80, 120])
def test_no_word_is_broken_at_any_width(width: int) -> None:
    long = "some lines are quieter than the others of the same speaker by far"
    result = replace(NOTHING, findings=(replace(finding("note"), message=long, cure=long),))
    page = io.StringIO()
    Console(file=page, width=width, color_system=None).print(table(result))
    assert set(long.split()) <= set(page.getvalue().split())
    assert max(len(line) for line in page.getvalue().splitlines()) <= width


def test_a_sample_is_told() -> None:
    assert "listened to 50 of 1200" in printed(replace(NOTHING, listened=50))


@given(st.sets(st.integers(1, 60)))
def test_ranges_name_every_line(lines: set[int]) -> None:
    text = ranges(sorted(lines), most=100)
    named: set[int] = set()
    for part in text.split(", ") if text else []:
        first, _, last = part.partition("-")
        named |= set(range(int(first), int(last or first) + 1))
    assert named == lines
