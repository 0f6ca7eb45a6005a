"""A few of many, evenly spread."""

from __future__ import annotations

import pytest

from ctcasr.diagnose.thinned import Thinned


@pytest.mark.parametrize("offered", [0, 1, 7, 8, 9, 100, 1000])
def test_entries_are_few_and_evenly_spread(offered: int) -> None:
    thinned: Thinned[int] = Thinned(most=8)
    for number in range(offered):
        if thinned.wants():
            thinned.keep(number)
    assert len(thinned.entries) <= 8
    assert thinned.entries == list(range(0, offered, thinned.every))
    assert offered < 8 or len(thinned.entries) >= 4
