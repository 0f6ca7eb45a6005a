"""What is in no rate is told with its names."""

from __future__ import annotations

from pathlib import Path

from ctcasr.compare.coverage import remarks_on, remarks_on_coverage
from ctcasr.compare.results import Answer, References, System
from ctcasr.compare.scores import score, score_systems
from ctcasr.compare.system_rows import Group, SystemRow
from ctcasr.scoring.errors import ErrorRates

REFERENCES = References({"u1": "the cat", "u2": "...", "u3": "sat"}, differing={"A": 2})


def test_strays_lost_references_and_references_without_words() -> None:
    answers = [Answer("u1", "the bat"), Answer("u2", "well now"), Answer("x", "a")]
    system = System.of("A", answers, Path("a"), "jsonl")
    scores = score_systems([system], REFERENCES, lambda text: text.strip("."))
    assert remarks_on_coverage([system], REFERENCES, scores) == [
        "A: 1 of 3 results have no reference and are in no rate (x)",
        "1 of 3 references have no result of any system and are in no rate (u3)",
        "1 references hold no word as they are scored; what was written for them is in no rate "
        "(u2): A 2 words",
    ]


def test_what_is_missing_repeated_differing_or_empty() -> None:
    row = SystemRow("A", ErrorRates(), (0.0, 1.0), None, None, 1, 1, None)
    scores = {"A": {"u1": score("the cat", ""), "u3": score("sat", "sat")}}
    told = remarks_on(Group([row], []), REFERENCES, scores)
    assert told[0].startswith("A: 1 utterance is missing")
    assert told[1].startswith("A: endless repetitions in 1 of")
    assert told[2:] == [
        "A: 2 references differ from those of the first file, which count",
        "A: 1 text is empty",
    ]
