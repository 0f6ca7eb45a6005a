"""Enhancers over judges of different strength."""

from __future__ import annotations

from dataclasses import replace

from ctcasr.compare.panel import panel_of
from ctcasr.compare.summary import Row, Summary
from ctcasr.scoring.bootstrap import Difference
from ctcasr.scoring.errors import ErrorRates, ErrorTally


def row(judge: str, condition: str, errors: int, word: str = "") -> Row:
    """A hundred words, and what became of the difference to noisy."""
    tally = ErrorRates(words=ErrorTally(hits=100 - errors, substitutions=errors), utterances=10)
    against = None
    if word:
        gain = {"helps": -0.1, "harms": 0.1, "undecided": 0.0}[word]
        bounds = (gain - 0.05, gain + 0.05)
        against = Difference(gain, bounds, bounds, 0.01, 0.05, 50, word)
    return Row(judge, condition, tally, (0.0, 1.0), {}, None, against)


def summary(rows: list[Row]) -> Summary:
    return Summary("sentence", 50, rows, {}, [], {}, {}, {})


def panel_rows(strong: str, weak: str) -> list[Row]:
    return [
        row("weak", "clean", 40, "helps"),
        row("weak", "noisy", 80),
        row("weak", "mask", 60, weak),
        row("strong", "clean", 5, "helps"),
        row("strong", "noisy", 20),
        row("strong", "mask", 30, strong),
    ]


def test_judges_stand_by_their_rate_on_clean_speech() -> None:
    panel = panel_of(summary(panel_rows("harms", "helps")))
    assert panel.judges == ["strong", "weak"]
    assert panel.strength == {"strong": 0.05, "weak": 0.4}
    assert list(panel.effects) == ["mask"], "clean and noisy are no enhancers"
    (turn,) = panel.turns
    assert "the sign turns between strong and weak" in turn


def test_what_is_not_decided_turns_nothing() -> None:
    turns = {
        words: panel_of(summary(panel_rows(*words))).turns[0]
        for words in (("undecided", "undecided"), ("undecided", "helps"), ("helps", "harms"))
    }
    assert turns["undecided", "undecided"] == "mask: undecided for every recogniser"
    assert "helps weak; harms none" in turns["undecided", "helps"]
    assert "does not follow the strength" in turns["helps", "harms"]


def test_without_clean_speech_noisy_tells_the_strength() -> None:
    rows = [one for one in panel_rows("harms", "helps") if one.condition != "clean"]
    assert panel_of(summary(rows)).strength == {"strong": 0.2, "weak": 0.8}


def test_nobody_speaks_for_the_enhancer_that_was_trained_to_please_it() -> None:
    rows = panel_rows("harms", "helps")
    rows[2] = replace(rows[2], own_listener=True)
    panel = panel_of(summary(rows))
    assert [effect.judge for effect in panel.effects["mask"]] == ["strong"]
    assert panel.judges == ["strong", "weak"], "it judges the others"
