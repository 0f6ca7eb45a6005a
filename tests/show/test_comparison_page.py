"""The page of a comparison: whole, escaped, with pictures."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from rich.console import Console

from ctcasr.compare.comparison import Comparison, ComparisonSetting
from ctcasr.show.comparison_files import latex_table
from ctcasr.show.comparison_page import write_comparison_page
from ctcasr.show.comparison_table import comparison_table


def test_the_page_shows_systems_pairs_rules_and_strata(
    comparison: Comparison, tmp_path: Path
) -> None:
    path = write_comparison_page(
        tmp_path / "page.html", "a < b", comparison, ComparisonSetting(draws=1000)
    )
    html = path.read_text(encoding="utf-8")
    for part in (
        "a &lt; b",
        "poor &amp; &lt;bad&gt;",
        "Who is better",
        "By speaker",
        '<span class="helps">first</span>',
    ):
        assert part in html, part
    assert html.count("<svg") == 2, "rules of scoring, and the speakers"
    assert "<bad>" not in html and not re.search(r"https?://|url\(|@import", html)


def test_each_cell_of_the_matrix_speaks_of_its_column(
    comparison: Comparison, tmp_path: Path
) -> None:
    path = write_comparison_page(
        tmp_path / "page.html", "t", comparison, ComparisonSetting(draws=1000)
    )
    matrix = path.read_text(encoding="utf-8").split('id="who-is-better"')[1].split("</table>")[0]
    words = re.findall(r'class="(helps|harms|undecided)">([+-]?[\d.]+)', matrix)
    assert len(words) == 6 and words.count(("undecided", "0.00")) == 2
    assert {float(points) < 0 for word, points in words if word == "helps"} == {True}
    assert {float(points) > 0 for word, points in words if word == "harms"} == {True}


def test_no_figure_is_a_zero_with_a_sign(comparison: Comparison, tmp_path: Path) -> None:
    setting = ComparisonSetting(draws=1000)
    page = write_comparison_page(tmp_path / "page.html", "t", comparison, setting)
    console = Console(file=io.StringIO(), width=300)
    console.print(comparison_table(comparison, setting))
    printed = console.file.getvalue()
    for text in (page.read_text(encoding="utf-8"), printed, latex_table(comparison, setting)):
        assert re.search(r"(?<![\d.])0\.00\b", text), "two systems are equal"
        assert not re.search(r"[+-]0(\.0+)?(?![\d.])", text)


def test_rates_and_p_close_to_nothing_cannot_break_the_page(
    comparison: Comparison, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ctcasr.show.comparison_cells.percent", lambda *share: "<0.01 %")
    monkeypatch.setattr("ctcasr.show.comparison_cells.p_text", lambda p: "<0.001")
    setting = ComparisonSetting(draws=1000)
    page = write_comparison_page(tmp_path / "page.html", "t", comparison, setting)
    html = page.read_text(encoding="utf-8").partition("<script>")[0]
    assert "&lt;0.01 %" in html and "&lt;0.001" in html
    assert not re.search(r"<(?![a-zA-Z/!])", html)
