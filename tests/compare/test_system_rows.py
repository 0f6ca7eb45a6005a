"""Rates of systems over groups, and their pairs."""

from __future__ import annotations

import math

import pytest

from ctcasr.compare.pairs import WHOLE, Grouping
from ctcasr.compare.scores import score
from ctcasr.compare.system_rows import SystemTable

NAMES = [f"u{number}" for number in range(8)]
SAME = {name: name for name in NAMES}
BY_ITSELF = Grouping("utterance", SAME, "utterance", SAME)


def table() -> SystemTable:
    """A writes all down, B half of it, and C nothing for anybody."""
    right = {name: score("the cat", "the cat") for name in NAMES}
    part = {name: score("the cat", "the bat") for name in NAMES[:4]}
    return SystemTable({"A": right, "B": part, "C": {}}, BY_ITSELF, draws=1000, seed=0)


def test_what_a_system_did_not_write_counts_as_deleted_beside_its_rate() -> None:
    row = table().row("B", NAMES)
    assert row.errors.words.rate == row.mean_wer == 0.5
    assert row.missing == 4
    assert row.wer_missing_as_deletions == pytest.approx((4 + 8) / 16)


def test_a_system_that_wrote_nothing_has_no_rate() -> None:
    row = table().row("C", NAMES)
    assert row.errors.words.rate is None and row.mean_wer is None and row.kaldi is None
    assert row.interval == (-math.inf, math.inf)
    assert row.wer_missing_as_deletions == 1.0


def test_pairs_are_those_that_share_an_utterance() -> None:
    groups = table().groups({WHOLE: NAMES, "second half": NAMES[4:]})
    whole = [(pair.pair.first, pair.pair.second, pair.utterances) for pair in groups[WHOLE].pairs]
    assert whole == [("A", "B", 4)]
    assert groups["second half"].pairs == []
