"""Rasters: a row for each check with posteriors, bright where a symbol is likely."""

from __future__ import annotations

import re

from ctcasr.show.raster import raster
from ctcasr.show.records import Sample


def sample(blank: list[float] | None, spikes: list[list[object]] | None = None) -> Sample:
    return Sample("u", "ab", "a", blank=blank, spikes=spikes or [])


def test_a_row_for_each_check_that_recorded_posteriors() -> None:
    html = raster([(10, sample([1.0, 0.25])), (20, sample(None)), (30, sample([0.5, 1.0]))])
    assert html.count('class="frames"') == 2
    assert re.findall(r'fill-opacity="([\d.]+)"', html) == ["0.75", "0.50"]
    assert ">10<" in html and ">30<" in html and ">20<" not in html


def test_spikes_carry_their_symbols() -> None:
    html = raster([(10, sample([0.1, 0.1], [[1, "<", 0.9]]))])
    assert ">&lt;</text>" in html


def test_nothing_recorded_is_no_picture() -> None:
    assert raster([]) == ""
    assert raster([(10, sample(None)), (20, sample([]))]) == ""
