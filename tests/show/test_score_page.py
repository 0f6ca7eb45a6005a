"""The page of a trial: whole, escaped, with a chart for the strata."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ctcasr.compare.summary import Setting, Summary, summarise
from ctcasr.compare.trial import Trial
from ctcasr.show.score_page import write_page


def test_the_page_tells_rates_words_strata_and_sound(summary: Summary, tmp_path: Path) -> None:
    path = write_page(tmp_path / "page.html", "enhanced on <s>", summary, ["a < b"], ["<i></i>"])
    html = path.read_text(encoding="utf-8")
    for part in (
        "enhanced on &lt;s&gt;",
        "a &lt; b",
        '<span class="helps">helps</span>',
        "By SNR",
        "By class of noise",
        "Observation adding",
        "0 chosen",
        "4.55 (+3.00)",
        "what had to be put right",
        "Hollow points are undecided",
        "too &lt;short&gt;",
        "by stratum",
    ):
        assert part in html, part
    assert html.count("<svg") == 6, "two judges, two kinds of strata, one choice, one panel"
    assert "<short>" not in html and not re.search(r"https?://|url\(|@import", html)


def test_a_trial_of_nothing_has_a_page(tmp_path: Path) -> None:
    nothing = summarise(Trial(), [], Setting(listeners={}, judges={}, draws=1000))
    html = write_page(tmp_path / "page.html", "nothing", nothing, [], []).read_text("utf-8")
    assert "<h1>nothing</h1>" in html and "<section" not in html


def test_rates_close_to_nothing_cannot_break_the_page(
    summary: Summary, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ctcasr.show.score_cells.percent", lambda *share: "<0.01 %")
    html = write_page(tmp_path / "page.html", "t", summary, [], []).read_text("utf-8")
    assert "&lt;0.01 %" in html
    assert not re.search(r"<(?![a-zA-Z/!])", html.partition("<script>")[0])
