"""Systems against each other: rates, strata, rules of scoring."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ctcasr.compare.comparison import (
    Ranking,
    Setting,
    changes_of_order,
    compare_systems,
    grouping_of,
    groups_of,
    score,
    shared_utterances,
)
from ctcasr.compare.results import Answer, References, System, references_of

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
    found = compare_systems(systems, references_of(systems), Setting(draws=1000))
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


def test_a_missing_utterance_is_told_and_pairs_are_on_the_rest() -> None:
    whole = system("whole", 0.1)
    part = System.of("part", list(system("part", 0.1).answers.values())[:-5], Path("b"), "jsonl")
    found = compare_systems([whole, part], references_of([whole, part]), Setting(draws=1000))
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
    found = compare_systems(systems, references_of(systems), Setting(draws=1000))
    pooled, means = found.sensitivity
    assert pooled.order == ["A", "B"] and means.order == ["B", "A"]
    assert any("the order changes with the rules" in remark for remark in found.remarks)


def test_equal_rates_have_no_order_that_could_change() -> None:
    clear = Ranking("ctcasr", "pooled", {"B": 0.1, "A": 0.2, "C": 0.3})
    equal = Ranking("none", "pooled", {"B": 1.0, "A": 1.0, "C": 1.0})
    other = Ranking("whisper_basic", "pooled", {"B": 0.1, "A": 0.4, "C": 0.3})
    assert changes_of_order([clear, equal]) == []
    assert len(changes_of_order([clear, equal, other])) == 1


def test_the_normaliser_decides_what_an_error_is() -> None:
    answers = [Answer(f"u{number}", "HELLO, world", "Hello World.") for number in range(12)]
    systems = [System.of(name, answers, Path(name), "") for name in ("A", "B")]
    found = compare_systems(systems, references_of(systems), Setting(draws=1000), ["none"])
    rates = {ranking.normaliser: ranking.wer["A"] for ranking in found.sensitivity}
    assert rates == {"ctcasr": 0.0, "none": 1.0}


def test_units_are_speakers_from_twenty_on_or_what_is_asked_for() -> None:
    names = [f"u{number}" for number in range(60)]
    many = References({}, {name: {"speaker": f"s{int(name[1:]) % 20}"} for name in names})
    few = References({}, {name: {"speaker": "s", "noise": name[-1]} for name in names})
    assert grouping_of(names, many).unit == "speaker"
    assert grouping_of(names, few).unit == "utterance"
    assert grouping_of(names, few, "noise").unit == "noise"
    assert grouping_of(names, many).rank_unit == "speaker"
    assert grouping_of(names, few).rank_unit == "utterance", "one speaker has no ranks"
    assert grouping_of(names, many, "utterance").unit == "utterance"
    with pytest.raises(ValueError, match=r"--block room: expected a field .* known are speaker"):
        grouping_of(names, many, "room")


def test_groups_stand_in_order() -> None:
    fields = {name: {"snr_db": value} for name, value in zip("abc", ("10", "-5", "0"), strict=True)}
    assert list(groups_of("abc", References({}, fields), "snr_db")) == ["-5", "0", "10"]


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
        compare_systems([one, system("two", 0.1)], references, Setting(strata=["room"]))


def test_endless_hypotheses_are_marked() -> None:
    assert score("a b c", "thank you " * 12).is_loop
    assert not score("a b c", "a b c").is_loop


def test_the_unit_is_chosen_by_what_is_compared() -> None:
    names = [f"u{number}" for number in range(40)]
    speakers = References({}, {name: {"speaker": f"s{int(name[1:]) % 20}"} for name in names})
    assert grouping_of(names, speakers).unit == "speaker"
    found = grouping_of(names, speakers, compared=names[:19])
    assert (found.unit, found.rank_unit) == ("utterance", "speaker")
    assert set(found.unit_of) == set(names), "rows are of all"
    assert grouping_of(names, speakers, compared=names[:1]).rank_unit == "utterance"


def test_utterances_of_one_system_alone_are_not_shared() -> None:
    one = score("a", "a")
    scores = {"A": {"u1": one, "u2": one}, "B": {"u2": one, "u3": one}, "C": {"u3": one}}
    assert shared_utterances(scores) == {"u2", "u3"}
