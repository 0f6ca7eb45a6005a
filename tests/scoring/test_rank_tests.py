"""Sign and Wilcoxon tests as NIST's sc_stats has them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from ctcasr.scoring.rank_tests import sign_test, wilcoxon_test
from tools.study.sctk_agreement import Alignments, ours

SETS = json.loads((Path(__file__).parent / "sctk.json").read_text(encoding="utf-8"))
Rates = st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), min_size=1, max_size=20)


@pytest.mark.parametrize("kept", SETS, ids=lambda kept: f"{len(kept['alignments']['first'])}")
def test_p_is_that_of_sc_stats(kept: dict[str, Any]) -> None:
    found = ours(Alignments(**kept["alignments"]))
    assert found["sign"] == kept["sc_stats"]["sign"]
    # sc_stats reads the normal distribution from a table for z with two digits
    theirs = float(kept["sc_stats"]["wilc"])
    assert float(found["wilc"]) == pytest.approx(theirs, abs=0.005)


def test_without_ties_wilcoxon_is_the_normal_approximation_of_scipy() -> None:
    first = [10.0, 12.0, 9.0, 20.0, 31.0, 8.0, 15.0, 22.0, 5.0, 17.0]
    second = [9.0, 10.0, 12.0, 16.0, 26.0, 14.0, 8.0, 14.0, 14.0, 7.0]
    theirs = stats.wilcoxon(first, second, method="asymptotic", correction=False)
    assert wilcoxon_test(first, second).p == pytest.approx(theirs.pvalue)


@given(Rates)
def test_the_order_of_the_systems_does_not_change_p(rates: list[tuple[int, int]]) -> None:
    first = [float(one) for one, _ in rates]
    second = [float(other) for _, other in rates]
    forth = sign_test(first, second)
    back = sign_test(second, first)
    assert (forth.first_better, forth.second_better) == (back.second_better, back.first_better)
    assert 0 <= forth.p <= 1
    if sum(first) != sum(second):
        assert forth.p == back.p
        assert wilcoxon_test(first, second).p == wilcoxon_test(second, first).p


def test_equal_systems_are_equal() -> None:
    rates = [10.0, 20.0, 30.0, 40.0]
    assert sign_test(rates, rates).p == 1.0
    assert sign_test(rates, rates).equal == 4
    assert wilcoxon_test(rates, rates).p > 0.7
    assert wilcoxon_test([], []).p == 1.0
