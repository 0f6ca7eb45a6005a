"""Confusions: they add, their scores agree with the definitions, and the interval with Wilson's."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctcasr.scoring.confusion import Confusion, pooled, wilson

CLASSES = ("cat", "dog", "$\n")
PAIRS = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), max_size=60)


@given(a=PAIRS, b=PAIRS)
def test_tallies_add(a: list[tuple[int, int]], b: list[tuple[int, int]]) -> None:
    both = Confusion.of(CLASSES, a) + Confusion.of(CLASSES, b)
    assert both.counts.tolist() == Confusion.of(
        CLASSES, a + b
    ).counts.tolist() and both.total == len(a) + len(b)


@given(pairs=PAIRS)
def test_scores_are_what_their_definitions_say(pairs: list[tuple[int, int]]) -> None:
    tally = Confusion.of(CLASSES, pairs)
    if pairs:
        assert tally.accuracy == pytest.approx(sum(a == b for a, b in pairs) / len(pairs))
        assert tally.weighted("recall") == pytest.approx(tally.accuracy)
    for index, row in enumerate(tally.rows.values()):
        hit = sum(a == b == index for a, b in pairs)
        said, there = sum(b == index for _, b in pairs), sum(a == index for a, _ in pairs)
        assert row.support == there
        assert row.precision == pytest.approx(
            hit / said if said else 0
        ) and row.recall == pytest.approx(hit / there if there else 0)
        mean = (
            2 * row.precision * row.recall / (row.precision + row.recall)
            if row.precision + row.recall
            else 0.0
        )
        assert row.f1 == pytest.approx(mean)
    json.dumps(tally.as_json(), allow_nan=False)


def test_a_class_that_is_not_there_does_not_lower_the_macro_mean() -> None:
    assert Confusion.of(CLASSES, [(0, 0), (1, 1)]).macro("f1") == 1.0


def test_other_classes_do_not_add() -> None:
    with pytest.raises(ValueError, match="same classes"):
        Confusion.of(("a", "b")) + Confusion.of(("b", "a"))


@given(total=st.integers(1, 5000), share=st.floats(0, 1))
def test_the_interval_holds_the_share_and_narrows(total: int, share: float) -> None:
    correct = round(share * total)
    low, high = wilson(correct, total)
    assert 0 <= low <= correct / total + 1e-12 and correct / total - 1e-12 <= high <= 1
    wide = wilson(correct * 4, total * 4)
    assert wide[1] - wide[0] < high - low


def test_wilson_agrees_with_printed_values() -> None:
    # Newcombe 1998, table I: 81 of 263, 15 of 148 and 0 of 20.
    for correct, total, expected in (
        (81, 263, (0.2553, 0.3662)),
        (15, 148, (0.0624, 0.1605)),
        (0, 20, (0.0, 0.1611)),
    ):
        assert wilson(correct, total) == pytest.approx(expected, abs=5e-5)
    assert wilson(0, 0) == (0.0, 1.0)
    with pytest.raises(ValueError, match="correct <= total"):
        wilson(3, 2)


def test_rounds_are_pooled_whatever_their_classes(tmp_path: Path) -> None:
    summary = pooled(
        {
            "a-b": Confusion.of(("a", "b"), [(0, 0), (1, 0)]),
            "c-d": Confusion.of(("c", "d"), [(0, 0), (1, 1)]),
            "empty": Confusion.of(("c", "d")),
        }
    )
    assert (summary.correct, summary.utterances) == (3, 4)
    assert summary.accuracy == 0.75 and summary.mean == pytest.approx(0.75)
    assert summary.interval == wilson(3, 4)
    assert summary.deviation == pytest.approx(math.sqrt(0.125))
    assert summary.rounds == {"a-b": 0.5, "c-d": 1.0}
    assert str(summary).startswith("3 of 4 right (") and "mean of 2 rounds 75.0 %" in str(summary)
    written = summary.write(tmp_path / "scores.json").read_text(encoding="utf-8")
    assert json.loads(written) == summary.as_json()
    assert str(pooled({})).startswith("0 of 0 right (") and "mean" not in str(pooled({}))
    nothing = pooled({}).as_json()
    assert nothing["accuracy"] is None and nothing["mean"] is None and nothing["deviation"] == 0.0


def test_what_was_written_is_read_again() -> None:
    tally = Confusion.of(("a", "b", "ç"), [(0, 0), (0, 2), (1, 1)])
    again = Confusion.from_json(json.loads(json.dumps(tally.as_json())))
    assert (
        again.classes == tally.classes
        and (again.counts == tally.counts).all()
        and again.counts.dtype == tally.counts.dtype
    )
    assert str(again) == str(tally) and "2 of 3" in str(tally)
    assert Confusion.from_json(Confusion.of(()).as_json()).total == 0
