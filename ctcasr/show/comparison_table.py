"""A comparison of systems as tables on the terminal."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ctcasr.compare.comparison import Comparison, ComparisonSetting
from ctcasr.show.comparison_cells import (
    counts_text,
    interval_text,
    needed_text,
    nist_text,
    rate_text,
    resolvable_text,
    side_text,
    statement,
    wins_text,
)
from ctcasr.show.score_cells import difference_text

_SYSTEM_COLUMNS = ("WER", "95 %", "S / D / I", "CER", "mean of utterances", "missing")
_PAIR_COLUMNS = ("difference, 95 %", "won / tied / lost", "MAPSSWE", "sign", "Wilcoxon")


def comparison_table(
    comparison: Comparison, setting: ComparisonSetting, wanted: float | None = None
) -> RenderableType:
    """Systems, every pair, what the rules of scoring change, and what else is to be known.

    `wanted` is a difference of WER (share of 1) whose size of set is told.
    """
    lines = [Text(line) for line in comparison.remarks]
    lines.append(Text(statement(comparison, setting), style="dim"))
    return Group(_systems(comparison), _pairs(comparison, wanted), _sensitivity(comparison), *lines)


def _systems(comparison: Comparison) -> Table:
    title = f"{comparison.units} {comparison.unit}s; WER and CER pooled over all words"
    grid = Table(title=title, title_justify="left")
    grid.add_column("system")
    for name in _SYSTEM_COLUMNS:
        grid.add_column(name, justify="right")
    for row in comparison.whole.rows:
        grid.add_row(
            row.system,
            rate_text(row.errors.words.rate),
            interval_text(row),
            counts_text(row),
            rate_text(row.errors.chars.rate),
            rate_text(row.mean_wer),
            str(row.missing),
        )
    return grid


def _pairs(comparison: Comparison, wanted: float | None) -> Table:
    first = comparison.whole.pairs[0] if comparison.whole.pairs else None
    ranked = "" if first is None else f"; sign and Wilcoxon rank {first.rank_unit}s"
    title = f"every pair: points of WER, second less first; NIST's p (by Holm){ranked}"
    grid = Table(title=title, title_justify="left")
    grid.add_column("first")
    grid.add_column("second")
    for name in _PAIR_COLUMNS:
        grid.add_column(name, justify="right", no_wrap=True)
    grid.add_column("")
    grid.add_column("finds", justify="right")
    grid.add_column("needed", justify="right")
    for result in comparison.whole.pairs:
        grid.add_row(
            result.pair.first,
            result.pair.second,
            difference_text(result.tested.difference),
            wins_text(result),
            nist_text(result, "mapsswe"),
            nist_text(result, "sign"),
            nist_text(result, "wilcoxon"),
            Text(side_text(result), "bold" if result.better else "yellow"),
            resolvable_text(result),
            needed_text(result, wanted),
        )
    return grid


def _sensitivity(comparison: Comparison) -> Table:
    grid = Table(title="WER by the rules of scoring, best first", title_justify="left")
    grid.add_column("normaliser")
    grid.add_column("averaging")
    for place in range(1, len(comparison.systems) + 1):
        grid.add_column(str(place))
    for ranking in comparison.sensitivity:
        cells = [f"{system} {rate_text(ranking.wer[system])}" for system in ranking.order]
        grid.add_row(ranking.normaliser, ranking.averaging, *cells)
    return grid
