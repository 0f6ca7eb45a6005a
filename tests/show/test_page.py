"""The frame of pages: sections that have something, links that lead somewhere, escaped names."""

from __future__ import annotations

import re

from ctcasr.show.page import Column, Section, facts, folded, page, table


def test_empty_sections_are_left_out_and_links_lead_to_the_others() -> None:
    sections = [Section("Does it listen?", "why", "<p>x</p>"), Section("Nothing", "why", "")]
    html = page("a <run>", "", sections)
    assert 'href="#does-it-listen"' in html and 'id="does-it-listen"' in html
    assert "Nothing" not in html
    assert "<title>a &lt;run&gt;</title>" in html
    assert "<nav" not in page("empty", "", [])


def test_a_page_carries_style_and_script_and_asks_for_neither() -> None:
    html = page("p", "", [])
    assert "prefers-color-scheme: dark" in html and "pointermove" in html
    assert not re.search(r"https?://|url\(|@import|src=", html)


def test_tables_have_their_columns_css_and_scroll_with_the_keys() -> None:
    html = table([Column("step", "n"), Column("<what>")], [["1", "<b>x</b>"]])
    assert '<td class="n">1</td><td><b>x</b></td>' in html and "&lt;what&gt;" in html
    assert 'tabindex="0"' in html
    assert table([Column("step")], []) == ""


def test_cells_that_stack_on_a_phone_know_their_columns() -> None:
    columns = [Column("line", "n"), Column('what "is"')]
    html = table(columns, [["7", "x"]], stacked=True)
    assert '<td class="n" data-title="line">7</td>' in html
    assert '<td data-title="what &quot;is&quot;">x</td>' in html
    assert "data-title" not in table(columns, [["7", "x"]])
    assert ".stacked td::before { content: attr(data-title)" in page("p", "", [])


def test_no_line_ends_inside_a_number() -> None:
    assert "<b>2\u00a0340 of 2\u00a0340</b>" in facts([("2 340 of 2 340", "steps")])


def test_facts_and_folds() -> None:
    assert "<b>4.2 %</b><span>best &amp; last</span>" in facts([("4.2 %", "best & last")])
    assert folded("more", "") == "" and "<summary>more</summary>" in folded("more", "x")
