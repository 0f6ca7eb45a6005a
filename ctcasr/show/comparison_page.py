"""The page about a comparison of systems: one HTML file that opens from disk and loads nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

from ctcasr.compare.comparison import Comparison, ComparisonSetting
from ctcasr.compare.pairs import PairResult
from ctcasr.compare.ranking import POOLED
from ctcasr.compare.system_rows import Group
from ctcasr.scoring.figures import points
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
from ctcasr.show.intervals import Condition, Estimate, interval_chart
from ctcasr.show.page import Column, Section, facts, folded, page, table, write_html
from ctcasr.show.score_cells import difference_text

MOST_DRAWN = 20  # groups of a chart
_SYSTEMS = (
    Column("system"),
    Column("WER", "r"),
    Column("95 %", "r"),
    Column("S / D / I", "r"),
    Column("CER", "r"),
    Column("mean of utterances", "r"),
    Column("Kaldi bootci", "r"),
    Column("loops", "r"),
    Column("missing", "r"),
)
_PAIRS = (
    Column("first"),
    Column("second"),
    Column("better"),
    Column("points [95 %]", "r"),
    Column("won / tied / lost", "r"),
    Column("MAPSSWE", "r"),
    Column("sign", "r"),
    Column("Wilcoxon", "r"),
    Column("finds", "r"),
    Column("needed", "r"),
)
_SYSTEMS_WHY = (
    "Pooled: all errors over all words. The mean of the utterances' own rates stands beside it: "
    "short utterances count as much as long ones there."
)
_MATRIX_WHY = (
    "Points of WER that the system of the column has more than that of the row: <b>green</b> where "
    "the column is better, <b>red</b> where it is worse, both as far as it is decided."
)
_PAIRS_WHY = (
    "Second less first. Better, worse or undecided is said by the bootstrap and sign flips "
    "together; beside it stands p of NIST's tests, where there are several pairs with Holm's "
    "correction in brackets. <b>Finds</b>: the difference in points that "
    "this set finds in 4 of 5 cases; <b>needed</b>: utterances that would show the difference seen."
)
_RULES_WHY = (
    "The same hypotheses under each normaliser, pooled and as a mean of utterances. Where the "
    "order changes, a ranking hangs on the normaliser."
)


def write_comparison_page(
    path: Path,
    title: str,
    comparison: Comparison,
    setting: ComparisonSetting,
    wanted: float | None = None,
) -> Path:
    """Write the page."""
    sections = [
        Section("Systems", _SYSTEMS_WHY, _systems(comparison.whole)),
        Section("Who is better", _MATRIX_WHY, _matrix(comparison)),
        Section("Every pair", _PAIRS_WHY, _pairs(comparison.whole.pairs, wanted)),
        Section("Rules of scoring", _RULES_WHY, _rules(comparison)),
        *_strata(comparison, wanted),
    ]
    head = _facts(comparison) + f"<p>{escape(statement(comparison, setting))}</p>"
    head += "".join(f"<p>{escape(remark)}</p>" for remark in comparison.remarks)
    return write_html(path, page(title, head, sections))


def _facts(comparison: Comparison) -> str:
    decided = sum(bool(result.better) for result in comparison.whole.pairs)
    utterances = max((row.errors.utterances for row in comparison.whole.rows), default=0)
    entries = [
        (str(utterances), "utterances"),
        (str(comparison.units), f"{comparison.unit}s, the units of the bootstrap"),
        (f"{decided} of {comparison.family}", "pairs decided"),
    ]
    return facts(entries)


def _systems(group: Group) -> str:
    lines = []
    for row in group.rows:
        kaldi = ""
        if row.kaldi is not None:
            low, high = row.kaldi.interval
            kaldi = f"{100 * low:.2f} - {100 * high:.2f}"
        lines.append(
            [
                escape(row.system),
                escape(rate_text(row.errors.words.rate)),
                interval_text(row),
                counts_text(row),
                escape(rate_text(row.errors.chars.rate)),
                escape(rate_text(row.mean_wer)),
                kaldi,
                str(row.loops),
                str(row.missing),
            ]
        )
    return table(_SYSTEMS, lines)


def _matrix(comparison: Comparison) -> str:
    """Rows and columns are the systems; each cell the difference, coloured where it is decided."""
    cells: dict[tuple[str, str], str] = {}
    for result in comparison.whole.pairs:
        first = result.pair.first
        second = result.pair.second
        more = result.tested.difference.difference
        cells[first, second] = _matrix_cell(more, result.better, second)
        cells[second, first] = _matrix_cell(-more, result.better, first)
    columns = [Column(""), *(Column(system, "r") for system in comparison.systems)]
    lines = []
    for row in comparison.systems:
        line = [escape(row)]
        for column in comparison.systems:
            line.append(cells.get((row, column), ""))
        lines.append(line)
    return table(columns, lines)


def _matrix_cell(more: float, better: str, column: str) -> str:
    css = "undecided"
    if better:
        css = "helps" if better == column else "harms"
    return f'<span class="{css}">{points(more)}</span>'


def _pairs(results: Sequence[PairResult], wanted: float | None) -> str:
    lines = []
    for result in results:
        css = "helps" if result.better else "undecided"
        lines.append(
            [
                escape(result.pair.first),
                escape(result.pair.second),
                f'<span class="{css}">{side_text(result).removesuffix(" better")}</span>',
                difference_text(result.tested.difference),
                wins_text(result),
                escape(nist_text(result, "mapsswe")),
                escape(nist_text(result, "sign")),
                escape(nist_text(result, "wilcoxon")),
                resolvable_text(result),
                needed_text(result, wanted),
            ]
        )
    return table(_PAIRS, lines)


def _rules(comparison: Comparison) -> str:
    """Every ranking as a row, and drawn."""
    systems = [Column(system, "r") for system in comparison.systems]
    columns = [Column("normaliser"), Column("averaging"), *systems, Column("order")]
    lines = []
    for ranking in comparison.sensitivity:
        rates = [escape(rate_text(ranking.wer[system])) for system in comparison.systems]
        order = escape(" < ".join(ranking.order))
        lines.append([escape(ranking.normaliser), ranking.averaging, *rates, order])
    return _rules_chart(comparison) + table(columns, lines)


def _rules_chart(comparison: Comparison) -> str:
    conditions = []
    for number, system in enumerate(comparison.systems):
        estimates = []
        for index, ranking in enumerate(comparison.sensitivity):
            wer = ranking.wer[system]
            estimates.append(Estimate(index, wer, wer, wer))
        conditions.append(Condition(system, estimates, number))
    names = []
    for ranking in comparison.sensitivity:
        names.append(ranking.normaliser if ranking.averaging == POOLED else "its mean")
    return interval_chart(names, conditions, title="WER by the rules of scoring", joined=False)


def _strata(comparison: Comparison, wanted: float | None) -> list[Section]:
    """A chart for each field; the numbers below it are folded away."""
    sections = []
    for name, groups in comparison.strata.items():
        chart = ""
        why = f"{len(groups)} groups, too many to draw."
        if len(groups) <= MOST_DRAWN:
            chart = _chart(name, groups, comparison.systems)
            why = "Pooled WER with 95 % intervals; the pairs of all groups are one family of tests."
        numbers = ""
        for value, group in groups.items():
            numbers += f"<h3>{escape(value)}</h3>{_systems(group)}{_pairs(group.pairs, wanted)}"
        sections.append(Section(f"By {name}", why, chart + folded("numbers", numbers)))
    return sections


def _chart(name: str, groups: Mapping[str, Group], systems: Sequence[str]) -> str:
    conditions = []
    for number, system in enumerate(systems):
        estimates = []
        for index, group in enumerate(groups.values()):
            row = group.rows[number]
            rate = row.errors.words.rate
            if rate is not None:
                low, high = row.interval
                estimates.append(Estimate(index, rate, low, high))
        conditions.append(Condition(system, estimates, number))
    return interval_chart(list(groups), conditions, title=f"WER by {name}", joined=False)
