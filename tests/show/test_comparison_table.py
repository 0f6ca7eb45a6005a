"""A comparison on the terminal."""

from __future__ import annotations

import io

from rich.console import Console

from ctcasr.compare.comparison import Comparison, ComparisonSetting
from ctcasr.show.comparison_table import comparison_table


def test_systems_pairs_and_rules_are_printed(comparison: Comparison) -> None:
    written = io.StringIO()
    console = Console(file=written, width=200)
    console.print(comparison_table(comparison, ComparisonSetting(draws=1000), wanted=0.01))
    text = written.getvalue()
    for part in ("good", "poor & <bad>", "MAPSSWE", "mean of utterances", "undecided", "pooled"):
        assert part in text, part
    assert "paired bootstrap" in text
