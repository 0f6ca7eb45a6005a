from __future__ import annotations

import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ctcasr.scoring.figures import percent, plural, points, rounded, signed_number

CHANGES = st.floats(-2, 2)


@given(st.floats(0, 1))
def test_only_all_is_100_and_only_nothing_is_0(share: float) -> None:
    assert (percent(share) == "100 %") == (share == 1)
    assert (percent(share) == "0 %") == (share == 0)


@given(CHANGES, st.integers(0, 3))
@example(-0.0, 2)
@example(-1e-9, 2)
def test_zero_has_no_sign(value: float, digits: int) -> None:
    shown = [rounded(value, digits), signed_number(value, digits), points(value)]
    shown.append(percent(value, digits, signed=True).removesuffix(" %"))
    for text in shown:
        if float(text) == 0:
            assert not text.startswith(("-", "+"))
        else:
            assert (float(text) < 0) == (value < 0)


@given(CHANGES)
def test_changes_keep_what_they_are(share: float) -> None:
    change = percent(share, 2, signed=True)
    assert float(change.removesuffix(" %")) == pytest.approx(100 * share, abs=0.0051)


def test_what_nobody_knows_is_a_dash() -> None:
    assert percent(math.nan) == percent(None) == percent(math.nan, signed=True) == "-"


def test_numbers_with_their_nouns() -> None:
    assert [plural(count, "line") for count in (0, 1, 1234567)] == [
        "0 lines",
        "1 line",
        "1 234 567 lines",
    ]
