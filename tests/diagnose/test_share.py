"""Shares are counted over the corpus where somebody has counted."""

from __future__ import annotations

import math

import pytest

from ctcasr.diagnose.history import RunHistory
from ctcasr.diagnose.share import NOTHING, Share, largest_share, share_of
from tests.fixtures.run_records import run_records


def test_the_larger_share_of_both_parts_counts() -> None:
    records = run_records([1.0], dev={"silent": 0.1, "rows": 20}, train={"silent": 0.75, "rows": 8})
    history = RunHistory.of(records)
    assert largest_share(history, "silent") == Share(6, 8)
    assert largest_share(history, "unheard-of") == NOTHING


def test_counts_of_the_corpus_come_before_a_few_rows_of_a_batch() -> None:
    corpus = {"train": {"rows": 300, "silent": 3, "uncovered": 30, "characters": 90}}
    history = RunHistory.of(run_records([1.0], train={"silent": 1.0, "rows": 4}, corpus=corpus))
    assert largest_share(history, "silent") == Share(3, 300)
    assert share_of(history, "train", "uncovered") == Share(30, 90)


def test_an_event_behind_the_last_check_knows_more() -> None:
    records = run_records([1.0], corpus={"train": {"rows": 10, "empty": 0}})
    later = {"train": {"rows": 20, "empty": 9}}
    event = {"kind": "event", "step": 12, "reason": "loss-failed", "facts": later}
    assert largest_share(RunHistory.of([*records, event]), "empty") == Share(9, 20)


@pytest.mark.parametrize(
    ("share", "text"),
    [(Share(1, 7), "1 of 7"), (Share(0.5 * 19, 19), "10 of 19"), (Share(5, 20), "5 of 20 (25 %)")],
)
def test_few_are_counted(share: Share, text: str) -> None:
    assert str(share) == text


def test_of_nothing_the_share_is_nothing() -> None:
    assert NOTHING.value == 0.0 and math.isnan(Share(math.nan, math.nan).value)
