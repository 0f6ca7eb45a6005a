"""Every pair of systems: words, wins, NIST's tests, and how many utterances it takes."""

from __future__ import annotations

import numpy as np
import pytest

from ctcasr.compare.pairs import (
    Grouping,
    Pair,
    PairResult,
    Scored,
    decide_pairs,
    holm_p,
    paired_errors,
    utterances_needed,
)
from ctcasr.compare.scores import score
from ctcasr.scoring.bootstrap import Difference

WORDS = ["bin", "lay", "place", "set", "blue", "green", "red", "white"]


def written(rng: np.random.Generator, utterances: int, error_rate: float) -> dict[str, Scored]:
    """Eight words each, some of them wrong."""
    scored = {}
    for number in range(utterances):
        wrong = rng.random(len(WORDS)) < error_rate
        heard = ["x" if bad else word for word, bad in zip(WORDS, wrong, strict=True)]
        scored[f"u{number:03d}"] = score(" ".join(WORDS), " ".join(heard))
    return scored


def decided(systems: dict[str, dict[str, Scored]], speakers: int = 4) -> dict[Pair, PairResult]:
    names = list(next(iter(systems.values())))
    by_itself = {name: name for name in names}
    speaker = {name: f"s{index % speakers}" for index, name in enumerate(names)}
    pairs = {}
    for index, first in enumerate(systems):
        for second in list(systems)[index + 1 :]:
            pairs[Pair("all", first, second)] = (systems[first], systems[second])
    return decide_pairs(pairs, Grouping("utterance", by_itself, "speaker", speaker), 2000)


def test_the_better_system_is_named_whatever_the_order() -> None:
    rng = np.random.default_rng(0)
    good = written(rng, 80, 0.1)
    bad = written(rng, 80, 0.4)
    (forth,) = decided({"good": good, "bad": bad}).values()
    (back,) = decided({"bad": bad, "good": good}).values()
    assert forth.better == back.better == "good"
    assert forth.better_by_mapsswe == back.better_by_mapsswe == "good"
    assert forth.improvement == 0.0 and back.improvement == 1.0
    assert forth.wins.first == back.wins.second > forth.wins.second
    assert forth.wins.first + forth.wins.second + forth.wins.ties == 80
    assert forth.rank_unit == "speaker" and forth.sign.first_better == 4


def test_bootstrap_and_mapsswe_have_the_same_words_where_it_is_clear() -> None:
    rng = np.random.default_rng(1)
    rates = {"a": 0.05, "b": 0.06, "c": 0.25, "d": 0.45}
    systems = {name: written(rng, 120, rate) for name, rate in rates.items()}
    for pair, result in decided(systems).items():
        if {pair.first, pair.second} != {"a", "b"}:
            assert result.better == result.better_by_mapsswe == pair.first


def test_p_of_each_test_is_corrected_over_the_family() -> None:
    rng = np.random.default_rng(2)
    systems = {name: written(rng, 60, 0.2) for name in "abc"}
    results = list(decided(systems).values())
    raw = [result.mapsswe.p for result in results]
    assert [result.corrected["mapsswe"] for result in results] == holm_p(raw)
    assert max(holm_p(raw)) >= max(raw)


def test_pairs_of_few_utterances_correct_no_other() -> None:
    rng = np.random.default_rng(4)
    good = written(rng, 60, 0.1)
    bad = written(rng, 60, 0.3)
    few = {name: bad[name] for name in list(bad)[:5]}
    by_itself = {name: name for name in good}
    grouping = Grouping("utterance", by_itself, "utterance", by_itself)
    whole = {Pair("all", "good", "bad"): (good, bad)}
    short = {Pair("all", "good", "few"): ({name: good[name] for name in few}, few)}
    (alone,) = decide_pairs(whole, grouping, 2000).values()
    with_it, of_few = decide_pairs({**whole, **short}, grouping, 2000).values()
    assert with_it.corrected == alone.corrected
    assert with_it.better == alone.better == "good"
    assert not of_few.better and set(of_few.corrected.values()) == {1.0}


def test_no_utterance_no_correction() -> None:
    assert holm_p([]) == []
    assert holm_p([0.5, 0.9]) == [1.0, 1.0]


def test_errors_are_summed_over_units() -> None:
    rng = np.random.default_rng(3)
    one = written(rng, 6, 0.3)
    pair = paired_errors(one, one, {name: str(index // 3) for index, name in enumerate(one)})
    assert pair.words.tolist() == [24.0, 24.0]
    assert pair.difference == 0.0


@pytest.mark.parametrize(("wanted", "needed"), [(0.04, 100), (0.02, 400), (-0.01, 1600)])
def test_half_the_difference_takes_four_times_the_utterances(wanted: float, needed: int) -> None:
    found = Difference(0.0, (-0.03, 0.03), (-0.03, 0.03), 1.0, 0.04, 100, "undecided")
    assert utterances_needed(found, 100, wanted) == needed


def test_however_large_a_difference_it_takes_ten_units() -> None:
    found = Difference(0.5, (0.4, 0.6), (0.4, 0.6), 0.0, 0.04, 20, "harms")
    assert utterances_needed(found, 60, 0.5) == 30  # three of each unit


def test_where_nothing_differs_nobody_knows_how_many_it_takes() -> None:
    found = Difference(0.0, (0.0, 0.0), (0.0, 0.0), 1.0, None, 100, "undecided")
    assert utterances_needed(found, 100, 0.02) is None
