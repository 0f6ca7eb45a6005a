"""Ways of training as a table: every arm has a row, and all but the first a difference."""

from __future__ import annotations

import io
from collections.abc import Sequence

from rich.console import Console

from ctcasr.show.arms_table import ArmResult, median_of, table_of_arms


def result(release: int | None, errors: Sequence[int]) -> ArmResult:
    words = [6] * len(errors)
    wer = 100 * sum(errors) / sum(words)
    return {"release": release, "half": None, "wer": wer, "errors": errors, "words": words}


def test_medians_and_differences_stand_in_the_rows() -> None:
    plain = [result(300, [3, 2, 4] * 9), result(None, [3, 2, 4] * 9)]
    cure = [result(100, [1, 0, 2] * 9), result(120, [1, 0, 2] * 9)]
    out = io.StringIO()
    Console(file=out, width=200).print(table_of_arms({"plain": plain, "cure": cure}, "plain"))
    rows = {line.split("│")[1].strip(): line for line in out.getvalue().splitlines() if "│" in line}
    assert "not reached (300, not reached)" in rows["plain"]
    assert "50 (50, 50)" in rows["plain"] and "[" not in rows["plain"]
    assert "110 (100, 120)" in rows["cure"]
    assert "-33.3 [-33.3, -33.3]" in rows["cure"]


def test_a_median_among_what_was_not_reached_is_not_reached() -> None:
    assert median_of([None, None, 5]) == "not reached (not reached, not reached, 5)"
