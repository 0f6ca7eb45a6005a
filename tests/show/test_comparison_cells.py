"""Texts of a comparison."""

from __future__ import annotations

from pathlib import Path

from ctcasr.compare.comparison import Comparison, ComparisonSetting, compare_systems
from ctcasr.compare.results import Answer, System, references_of
from ctcasr.show.comparison_cells import (
    interval_text,
    needed_text,
    nist_text,
    p_text,
    side_text,
    statement,
    wins_text,
)


def test_one_sentence_states_test_unit_draws_and_correction(comparison: Comparison) -> None:
    text = statement(comparison, ComparisonSetting(normaliser="none", draws=1000))
    for part in ("paired bootstrap (1000 draws of utterances", "sign-flip", "Holm's", "3 pairs"):
        assert part in text, part
    assert "normaliser none" in text and text.count(".") == text.count("0.05") + 1


def test_a_pair_says_who_is_better(comparison: Comparison) -> None:
    by_pair = {result.pair[1:]: result for result in comparison.whole.pairs}
    clear = by_pair["good", "poor & <bad>"]
    assert side_text(clear) == "first better"
    assert wins_text(clear).count(" / ") == 2
    assert int(needed_text(clear)) < 60 < int(needed_text(clear, 0.001))
    equal = by_pair["good", "same"]
    assert side_text(equal) == "undecided"
    assert needed_text(equal) == "-"


def test_a_p_that_was_corrected_stands_beside(comparison: Comparison) -> None:
    assert p_text(1.0) == "1.000"
    result = comparison.whole.pairs[0]
    assert nist_text(result, "mapsswe") in ("1.000", p_text(result.mapsswe.p)) or "(" in nist_text(
        result, "mapsswe"
    )


def test_an_interval_has_two_ends(comparison: Comparison) -> None:
    low, high = map(float, interval_text(comparison.whole.rows[0]).split(" - "))
    assert 0 <= low < high <= 100


def incomplete(*lengths: int) -> str:
    """The sentence about systems that have the first so many of 30 utterances."""
    systems = []
    for number, length in enumerate(lengths):
        answers = [Answer(f"u{index}", "a c", "a b") for index in range(length)]
        systems.append(System.of(f"s{number}", answers, Path("x"), "jsonl"))
    setting = ComparisonSetting(draws=1000)
    return statement(compare_systems(systems, references_of(systems), setting), setting)


def test_the_sentence_counts_what_the_pairs_were_tested_on() -> None:
    assert "compared on 30 utterances after" in incomplete(30, 30)
    assert "compared on 24 of 30 utterances, those that both systems" in incomplete(30, 24)
    assert "compared on 12 to 24 of 30 utterances, those" in incomplete(30, 24, 12)
