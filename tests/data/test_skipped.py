"""What was left out is told beside the figure, and where all was, there is none."""

from __future__ import annotations

import pytest

from ctcasr.batch import Skip
from ctcasr.data.skipped import WARNING_SHARE, NothingScoredError, refuse_nothing, skip_warning


def skips(count: int) -> list[Skip]:
    return [Skip(f"m.jsonl:{n}", f"reason {n}") for n in range(count)]


@pytest.mark.parametrize("count", [1, 5, 50])
def test_the_warning_begins_at_the_share_that_is_stated(count: int) -> None:
    total = round(count / WARNING_SHARE)
    assert "WARNING: 1 %" in skip_warning(skips(count), total - count)
    assert skip_warning(skips(count), total - count + 1) == ""
    assert skip_warning([], total) == ""


def test_the_first_reasons_and_how_many_more() -> None:
    with pytest.raises(NothingScoredError) as raised:
        refuse_nothing(skips(5), 0)
    told = str(raised.value)
    assert "all 5" in told and "m.jsonl:0: reason 0" in told and "and 2 more" in told
    refuse_nothing(skips(5), 1)
    with pytest.raises(NothingScoredError, match="the manifest has none"):
        refuse_nothing([], 0)
