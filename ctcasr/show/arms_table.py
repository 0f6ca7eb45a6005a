"""Several ways of training as a table: medians over seeds, and what each gains over the first."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import median
from typing import TypedDict

from rich.table import Table

from ctcasr.scoring.bootstrap import against


class ArmResult(TypedDict):
    """What the table says of one run."""

    release: int | None  # step; None where it was not reached
    half: int | None  # step at which the WER fell to 50 %, likewise
    wer: float  # percent
    errors: Sequence[int]  # of each utterance
    words: Sequence[int]


def table_of_arms(results: Mapping[str, Sequence[ArmResult]], base: str) -> Table:
    """Medians of every arm, and its WER less that of the arm `base` with its 95 % interval."""
    errors = {}
    for name, runs in results.items():
        errors[name] = [run["errors"] for run in runs]
    differences = against(base, errors, results[base][0]["words"])
    headings = ("arm", "steps to release", "to 50 % WER", "WER % (valid)", f"less {base}'s [95 %]")
    table = Table(*headings, title="medians (all seeds)")
    for name, runs in results.items():
        cells = [
            median_of([run["release"] for run in runs]),
            median_of([run["half"] for run in runs]),
            median_of([run["wer"] for run in runs]),
        ]
        if name in differences:
            percent = [100 * bound for bound in differences[name].bounds]
            cells.append("{:+.1f} [{:+.1f}, {:+.1f}]".format(*percent))
        table.add_row(name, *cells)
    return table


def median_of(values: Sequence[float | None]) -> str:
    """The median with all values; what was not reached is later than everything.

    Example:
        >>> median_of([100, None, 120])
        '120 (100, not reached, 120)'
    """
    reached = [math.inf if value is None else value for value in values]
    shown = ", ".join(_shown(value) for value in reached)
    return f"{_shown(median(reached))} ({shown})"


def _shown(value: float) -> str:
    if value == math.inf:
        return "not reached"
    return f"{value:.4g}"
