"""Systems against each other: rates, strata, rules of scoring."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ctcasr.compare.comparison import ComparisonSetting, compare_systems
from ctcasr.compare.results import Answer, System, references_of

WORDS = ["bin", "lay", "place", "set", "blue", "green", "red", "white"]


def system(name: str, error_rate: float, utterances: int = 60, speakers: int = 3) -> System:
    """Random errors; the reference and some fields beside each hypothesis."""
    rng = np.random.default_rng([len(name), round(1000 * error_rate)])
    answers = []
    for number in range(utterances):
        wrong = rng.random(len(WORDS)) < error_rate
        heard = ["x" if bad else word for word, bad in zip(WORDS, wrong, strict=True)]
        fields = {"speaker": f"s{number % speakers}", "snr_db": str(number % 20 - 10)}
        answers.append(Answer(f"u{number}", " ".join(heard), " ".join(WORDS), fields))
    return System.of(name, answers, Path(name), "jsonl")


def test_rates_pairs_and_strata_of_three_systems() -> None:
    systems = [system("good", 0.05), system("fair", 0.3), system("poor", 0.5)]
    found = compare_systems(systems, references_of(systems), ComparisonSetting(draws=1000))
    assert [row.system for row in found.whole.rows] == ["good", "fair", "poor"]
    assert [result.better for result in found.whole.pairs] == ["good", "good", "fair"]
    assert set(found.strata) == {"speaker", "snr_db"}
    assert len(found.strata["snr_db"]) == 4, "numbers of many values are put into bins"
    for groups in found.strata.values():
        pooled = sum(group.rows[0].errors.words.errors for group in groups.values())
        assert pooled == found.whole.rows[0].errors.words.errors
    row = found.whole.rows[0]
    assert row.kaldi is not None and row.mean_wer is not None
    low, high = row.interval
    assert low < row.errors.words.rate_or(0) < high


def test_speakers_of_one_utterance_each_are_no_groups() -> None:
    systems = [system("good", 0.05, speakers=60), system("fair", 0.3, speakers=60)]
    found = compare_systems(systems, references_of(systems), ComparisonSetting(draws=1000))
    assert set(found.strata) == {"snr_db"}


def test_a_missing_utterance_is_told_and_pairs_are_on_the_rest() -> None:
    whole = system("whole", 0.1)
    part = System.of("part", list(system("part", 0.1).answers.values())[:-5], Path("b"), "jsonl")
    found = compare_systems(
        [whole, part], references_of([whole, part]), ComparisonSetting(draws=1000)
    )
    (result,) = found.whole.pairs
    assert result.utterances == 55
    assert found.whole.rows[1].missing == 5
    assert any("5 utterances are missing" in remark for remark in found.remarks)
    deletions = found.whole.rows[1].wer_missing_as_deletions
    assert deletions is not None and deletions > found.whole.rows[1].errors.words.rate_or(1)


def test_a_change_of_order_by_the_rules_is_told() -> None:
    long_text = " ".join(["word"] * 40)
    said = {f"u{number}": "yes" for number in range(10)} | {"long": long_text}
    one = [Answer(name, "no" if name != "long" else text, text) for name, text in said.items()]
    other = [Answer(name, text if name != "long" else "", text) for name, text in said.items()]
    systems = [System.of("A", one, Path("a"), ""), System.of("B", other, Path("b"), "")]
    found = compare_systems(systems, references_of(systems), ComparisonSetting(draws=1000))
    pooled, means = found.sensitivity
    assert pooled.order == ["A", "B"] and means.order == ["B", "A"]
    assert any("the order changes with the rules" in remark for remark in found.remarks)


def test_the_normaliser_decides_what_an_error_is() -> None:
    answers = [Answer(f"u{number}", "HELLO, world", "Hello World.") for number in range(12)]
    systems = [System.of(name, answers, Path(name), "") for name in ("A", "B")]
    found = compare_systems(
        systems, references_of(systems), ComparisonSetting(draws=1000), ["none"]
    )
    rates = {ranking.normaliser: ranking.wer["A"] for ranking in found.sensitivity}
    assert rates == {"ctcasr": 0.0, "none": 1.0}


def test_what_cannot_be_compared_is_told() -> None:
    one = system("one", 0.1)
    references = references_of([one])
    with pytest.raises(ValueError, match="at least two systems"):
        compare_systems([one], references)
    with pytest.raises(ValueError, match="two are called one: give them names, as A=FILE"):
        compare_systems([one, one], references)
    stranger = System.of("stranger", [Answer("elsewhere", "a b", "a b")], Path("x"), "jsonl")
    with pytest.raises(ValueError, match=r"two systems share; one has .*, stranger has elsewhere"):
        compare_systems([one, stranger], references_of([one, stranger]))
    with pytest.raises(ValueError, match="--strata room: expected a field"):
        compare_systems([one, system("two", 0.1)], references, ComparisonSetting(strata=["room"]))
