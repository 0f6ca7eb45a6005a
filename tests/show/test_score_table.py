"""The tables of a trial on the terminal."""

from __future__ import annotations

import io

from rich.console import Console

from ctcasr.compare.summary import Setting, Summary, summarise
from ctcasr.compare.trial import Trial
from ctcasr.show.score_table import table


def printed(summary: Summary, trial: Trial, width: int = 160) -> str:
    page = io.StringIO()
    console = Console(file=page, width=width, color_system=None)
    console.print(table(summary, trial, ["a remark"]))
    return page.getvalue()


def test_everything_that_is_to_be_known_is_there(summary: Summary, trial: Trial) -> None:
    text = printed(summary, trial)
    for part in (
        "word error rate of 12 scenes, 12 sentences",
        "helps",
        "enhanced (own listener)",
        "4.55 (+3.00)",
        "babble",
        "chosen on the dev part: nothing",
        "smallest true difference",
        "Holm's correction for 2 tests",
        "left out: scenes.jsonl:99: unreadable <noise>",
        "pesq failed for 24 sounds",
        "a remark",
    ):
        assert part in text, part


def test_a_trial_of_nothing_is_no_error() -> None:
    nothing = summarise(Trial(), [], Setting(listeners={}, judges={}, draws=1000))
    assert "0 scenes" in printed(nothing, Trial())
