"""Shares are counted over the corpus where somebody has counted."""

from __future__ import annotations

import math

import pytest
import torch

from ctcasr.diagnose.history import RunHistory
from ctcasr.diagnose.share import NOTHING, Share, largest_share, share_of, share_set
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


@pytest.mark.parametrize("count", [1, 3, 2**24 + 1])
def test_all_flags_are_exactly_one_where_a_mean_of_floats_is_not(count: int) -> None:
    flags = torch.ones(count, dtype=torch.bool)
    assert share_set(flags) == 1.0
    flags[0] = False
    assert share_set(flags) == (count - 1) / count
    assert math.isnan(share_set(flags[:0]))


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_all_flags_are_exactly_one_on_a_device() -> None:
    for count in range(3, 3000, 7):
        assert share_set(torch.ones(count, dtype=torch.bool, device="cuda")) == 1.0
