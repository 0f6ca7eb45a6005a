"""The files of an audit, and what it expects."""

from __future__ import annotations

import json

import pytest

from ctcasr.audit import Audit, judge
from ctcasr.data import read_manifest

SAID = "bin blue two red now"
WRITTEN = "bin blue one red now"


@pytest.fixture
def audit(corpus_of, spelling) -> Audit:
    right = [line.text for line in corpus_of({})]
    wrong = {5: (right[4], right[8]), 9: (right[8], right[4]), 12: (SAID, WRITTEN)}
    wrong[44] = ("", "bin green one two soon")
    wrong[20] = ("set green two soon now", "set green two soon bin")
    wrong[30] = ("lay white one two again", "lay white red two again")
    dynamics = {"train.jsonl:12 (u12)": [3.0, 2.5]}
    return Audit.of("train.jsonl", judge(corpus_of(wrong), spelling), [], dynamics)


def test_suspects_are_told_surest_first_and_clean_is_the_rest(audit, tmp_path):
    paths = audit.write(tmp_path / "out")
    assert [path.name for path in paths] == ["audit.jsonl", "clean.jsonl"]
    rows = [json.loads(row) for row in paths[0].read_text("utf-8").splitlines()]
    assert len(rows) == 60
    assert {row["line"] for row in rows[:6]} == {5, 9, 12, 20, 30, 44}
    assert rows == sorted(rows, key=lambda row: -row["wrong"])
    clean = read_manifest(paths[1])
    assert len(clean) == 54 and SAID not in {line.text for line in clean}


def test_a_row_says_what_is_wrong_and_what_to_write(audit, tmp_path):
    rows = {}
    for row in (audit.write(tmp_path)[0]).read_text("utf-8").splitlines():
        entry = json.loads(row)
        rows[entry["line"]] = entry
    assert rows[5]["kind"] == "swapped" and rows[5]["partner_lines"] == [9]
    assert rows[12]["kind"] == "substituted" and rows[12]["suggestion"] == SAID
    (word,) = [word for word in rows[12]["words"] if word["wrong"] > 0.5]
    assert (word["place"], word["written"], word["suggestion"]) == (2, "one", "two")
    assert rows[12]["training_losses"] == [3.0, 2.5] and "training_losses" not in rows[5]
    assert rows[1]["kind"] == "right" and rows[1]["suggestion"] == rows[1]["text"]


def test_fixed_has_suggestions_and_leaves_out_what_has_none(audit, tmp_path):
    path = audit.write(tmp_path, fix=True)[2]
    assert path.name == "fixed.jsonl"
    fixed = read_manifest(path)
    texts = [line.text for line in fixed]
    assert len(fixed) == 59
    assert (texts[4], texts[8]) == (right_of(audit, 9), right_of(audit, 5))


def right_of(audit: Audit, line: int) -> str:
    """What is written in a line."""
    return audit.lines[line - 1].heard.text


def test_the_expected_number_has_an_interval(audit):
    expected, least, most = audit.expected
    assert least <= expected <= most and expected == pytest.approx(6, abs=1.5)
    summary = audit.summary()
    assert summary["suspects"] == 6 and summary["hurts"] is True
    assert summary["kinds"] == {"swapped": 2, "substituted": 3, "no-speech": 1}
    json.dumps(summary)


def test_a_clean_corpus_does_not_hurt(corpus_of, spelling):
    clean = Audit.of("train.jsonl", judge(corpus_of({}), spelling), [], {})
    assert not clean.hurts and clean.suspects == []
