"""Specs of enhancers as plain data."""

from __future__ import annotations

import pytest

from ctcasr.enhance.spec import (
    ENHANCERS,
    describe_enhancer,
    enhancer_from,
    enhancer_to,
    read_enhancer,
)


@pytest.mark.parametrize("name", list(ENHANCERS))
def test_round_trip_without_the_network_that_is_not_there(name: str) -> None:
    data = enhancer_to(ENHANCERS[name])
    assert set(data) == {"network", ENHANCERS[name].network}
    assert enhancer_from(data) == ENHANCERS[name]
    assert describe_enhancer(ENHANCERS[name])


def test_mistakes_name_what_is_near() -> None:
    with pytest.raises(ValueError, match="avse_lstm8"):
        read_enhancer("avse_lstm9")
    with pytest.raises(ValueError, match="did you mean 'chunk'"):
        enhancer_from({"network": "dualpath", "dualpath": {"chunks": 100}})
    with pytest.raises(ValueError, match="one of 'mask', 'av_mask', 'dualpath'"):
        enhancer_from({"network": "unet"})


@pytest.mark.parametrize(
    "change",
    ["hop=0", "hop=17", "size=0", "filters=0", "width=-1", "hidden=0", "rate_hz=0", "convs=-1"],
)
def test_sizes_that_no_filter_bank_has_are_refused(change: str) -> None:
    with pytest.raises(ValueError, match=r"'\.dualpath: .*expected"):
        read_enhancer(f"dualpath dualpath.{change}")
