from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctcasr.show.units import binary, clock, count, percent, short


@given(st.floats(-1e30, 1e30).filter(lambda value: value == 0 or abs(value) > 1e-30))
def test_short_is_short_and_close(value):
    assert len(short(value)) <= 8
    assert float(short(value)) == pytest.approx(value, rel=0.06, abs=6e-4)


def test_examples():
    assert [clock(s) for s in (0, 59.6, 187, 3723, None)] == [
        "0:00",
        "1:00",
        "3:07",
        "1:02:03",
        "-",
    ]
    assert percent(0.2345, 1) == "23.4 %" and percent(1.37, 1) == "137.0 %" and percent(None) == "-"
    assert count(1204713) == "1 204 713"
    assert binary(900 << 20) == "900 MiB" and binary(3 << 30) == "3.0 GiB"
    assert short(-0.0) == short(0.0) == "0.000"
