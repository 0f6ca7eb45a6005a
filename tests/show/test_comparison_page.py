"""The page of a comparison: whole, escaped, with pictures."""

from __future__ import annotations

import re
from pathlib import Path

from ctcasr.compare.comparison import Comparison, Setting
from ctcasr.show.comparison_page import write_comparison_page


def test_the_page_shows_systems_pairs_rules_and_strata(
    comparison: Comparison, tmp_path: Path
) -> None:
    path = write_comparison_page(tmp_path / "page.html", "a < b", comparison, Setting(draws=1000))
    html = path.read_text(encoding="utf-8")
    for part in (
        "a &lt; b",
        "poor &amp; &lt;bad&gt;",
        "Who is better",
        "By speaker",
        "first better",
    ):
        assert part in html, part
    assert html.count("<svg") == 2, "rules of scoring, and the speakers"
    assert "<bad>" not in html and not re.search(r"https?://|url\(|@import", html)


def test_each_cell_of_the_matrix_speaks_of_its_column(
    comparison: Comparison, tmp_path: Path
) -> None:
    path = write_comparison_page(tmp_path / "page.html", "t", comparison, Setting(draws=1000))
    matrix = path.read_text(encoding="utf-8").split('id="who-is-better"')[1].split("</table>")[0]
    words = re.findall(r'class="(helps|harms|undecided)">([+-][\d.]+)', matrix)
    assert len(words) == 6
    assert {float(points) < 0 for word, points in words if word == "helps"} == {True}
    assert {float(points) > 0 for word, points in words if word == "harms"} == {True}
