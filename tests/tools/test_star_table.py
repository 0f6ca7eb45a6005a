"""A table and a picture of trainings with and without a star."""

from __future__ import annotations

import json

import pytest

from tools.study.star_table import arms_of, draw, table

RESULTS = [
    {"star": "", "words": 0.0, "wer": 0.05, "seed": 0},
    {"star": "", "words": 0.5, "wer": 0.7, "seed": 0},
    {"star": "", "words": 0.5, "wer": 0.6, "seed": 1},
    {"star": "inf,inf,12:6@0.4", "words": 0.5, "wer": 0.3, "seed": 0},
    {"star": "", "audit": 16, "rounds": 1, "words": 0.5, "wer": 0.2, "seed": 0},
    {"star": "", "doubt": True, "words": 0.5, "wer": 0.1, "seed": 0},
]


def test_a_row_for_each_arm_and_a_column_for_each_share():
    assert table(arms_of(RESULTS)) == [
        "| WER | 0 % wrong | 50 % wrong |",
        "| --- | --- | --- |",
        "| plain CTC | 5.0 % | 65.0 % (60.0 to 70.0) |",
        "| --audit 16 --rounds 1 | not measured | 20.0 % |",
        "| --doubt | not measured | 10.0 % |",
        "| --star inf,inf,12:6@0.4 | not measured | 30.0 % |",
    ]


def test_the_picture_is_drawn(tmp_path):
    pytest.importorskip("matplotlib")
    path = tmp_path / "star.svg"
    draw(arms_of(json.loads(json.dumps(RESULTS))), path)
    first = path.read_bytes()
    assert first.startswith(b"<?xml") and b"plain CTC" in first
    draw(arms_of(RESULTS), path)
    assert path.read_bytes() == first
