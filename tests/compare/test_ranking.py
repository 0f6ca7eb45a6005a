"""Systems in order, and what changes it."""

from __future__ import annotations

from ctcasr.compare.ranking import Ranking, changes_of_order


def test_equal_rates_have_no_order_that_could_change() -> None:
    clear = Ranking("ctcasr", "pooled", {"B": 0.1, "A": 0.2, "C": 0.3})
    equal = Ranking("none", "pooled", {"B": 1.0, "A": 1.0, "C": 1.0})
    other = Ranking("whisper_basic", "pooled", {"B": 0.1, "A": 0.4, "C": 0.3})
    assert changes_of_order([clear, equal]) == []
    assert len(changes_of_order([clear, equal, other])) == 1
