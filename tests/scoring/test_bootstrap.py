"""Intervals that cover the truth as often as they say, and Holm's correction."""

from __future__ import annotations

import numpy as np
import pytest

from ctcasr.scoring.bootstrap import Paired, against, draw, holm, interval, unit_sums, word_of


def simulated(rng: np.random.Generator, units: int, gain: float) -> Paired:
    """Six words a sentence; both conditions share its difficulty; true difference `gain`."""
    hard = rng.beta(2, 4, units)
    base = rng.binomial(6, np.clip(hard, 0, 1))
    other = rng.binomial(6, np.clip(hard + gain, 0, 1))
    return Paired(base.astype(float), other.astype(float), np.full(units, 6.0))


@pytest.mark.parametrize("units", [12, 50])
def test_an_interval_of_95_percent_covers_the_truth_that_often(units: int) -> None:
    rng, runs = np.random.default_rng(0), 400
    covered = 0
    for seed in range(runs):
        low, high = interval(draw(simulated(rng, units, 0.0), 1000, seed), units, 0.05)
        covered += low <= 0 <= high
    assert (
        0.92 <= covered / runs <= 0.98
    )  # four standard errors are 0.044; a z interval of 12 units would cover 0.92 at best


def test_equal_conditions_differ_by_exactly_nothing() -> None:
    pair = Paired(np.array([1.0, 0, 3]), np.array([1.0, 0, 3]), np.array([6.0, 6, 6]))
    found = holm({"same": pair}, 1000)["same"]
    assert (found.difference, found.interval, found.word, found.p, found.resolvable) == (
        0.0,
        (0.0, 0.0),
        "undecided",
        1.0,
        None,
    )


def test_a_clear_difference_has_its_word_in_either_direction() -> None:
    rng = np.random.default_rng(1)
    words = {gain: holm({"": simulated(rng, 80, gain)}, 1000)[""].word for gain in (0.25, -0.25)}
    assert words == {0.25: "harms", -0.25: "helps"}
    assert [word_of(bounds) for bounds in ((-2, -1), (1, 2), (-1, 1), (0, 0), (0, 1))] == [
        "helps",
        "harms",
        *["undecided"] * 3,
    ]


def test_the_resolvable_difference_is_found_in_four_of_five_cases() -> None:
    rng = np.random.default_rng(2)
    resolvable = np.mean(
        [holm({"": simulated(rng, 60, 0.0)}, 1000)[""].resolvable for _ in range(20)]
    )
    found = [
        holm({"": simulated(rng, 60, float(resolvable))}, 1000, seed)[""].word
        for seed in range(150)
    ]
    assert 0.66 <= found.count("harms") / 150 <= 0.94


def test_holm_keeps_the_family_wise_error() -> None:
    rng, runs, wrong, wrong_alone = np.random.default_rng(3), 120, 0, 0
    for seed in range(runs):
        pairs = {str(i): simulated(rng, 30, 0.0) for i in range(8)}
        wrong += any(d.word != "undecided" for d in holm(pairs, 4000, seed).values())
        wrong_alone += any(
            word_of(d.interval) != "undecided" for d in holm(pairs, 1000, seed).values()
        )
    assert wrong / runs <= 0.12
    assert wrong_alone / runs > 0.2


def test_holm_steps_down() -> None:
    rng = np.random.default_rng(4)
    found = holm(
        {
            "sure": simulated(rng, 100, 0.3),
            "nothing": simulated(rng, 100, 0.0),
            "surer": simulated(rng, 100, 0.4),
        },
        4000,
    )
    assert {name: d.word for name, d in found.items()} == {
        "sure": "harms",
        "nothing": "undecided",
        "surer": "harms",
    }
    assert (
        found["nothing"].tested == found["nothing"].interval
    )  # last of the family: level 0.05 again
    assert found["surer"].tested[0] < found["surer"].interval[0]


def test_one_unit_decides_nothing() -> None:
    pair = Paired(np.array([0.0]), np.array([600.0]), np.array([600.0]))
    assert holm({"": pair}, 1000)[""].word == "undecided"


def test_scenes_of_one_sentence_are_one_unit() -> None:
    errors, words = unit_sums(["b", "a", "b"], [1, 2, 3], [6, 6, 6])
    assert (errors.tolist(), words.tolist()) == ([2, 4], [6, 12])


def test_copies_of_the_same_sentences_make_no_interval_narrower() -> None:
    rng = np.random.default_rng(5)
    pair = simulated(rng, 20, 0.1)
    names = [f"s{i:02d}" for i in range(20)]
    five = Paired(
        *unit_sums(names * 5, *(list(column) * 5 for column in (pair.base, pair.other, pair.words)))
    )
    assert holm({"": five}, 1000)[""].interval == pytest.approx(holm({"": pair}, 1000)[""].interval)


def test_draws_depend_on_the_seed_alone_and_are_enough() -> None:
    pair = simulated(np.random.default_rng(6), 20, 0.1)
    assert np.array_equal(draw(pair, 1000, 3), draw(pair, 1000, 3))
    assert not np.array_equal(draw(pair, 1000, 3), draw(pair, 1000, 4))
    with pytest.raises(ValueError, match="at least 1000"):
        draw(pair, 999)


def test_arms_against_a_base_count_the_runs_that_both_have() -> None:
    errors = {
        "plain": [[1, 2, 0], [3, 0, 1]],
        "cure": [[0, 1, 0], [1, 0, 1]],
        "half done": [[1, 2, 0]],
    }
    found = against("plain", errors, [6, 6, 6])
    assert set(found) == {"cure", "half done"}
    assert found["cure"].bounds[0] == pytest.approx(-4 / 36) and found["half done"].bounds == (
        0.0,
        0.0,
        0.0,
    )
    assert found["cure"].bounds[1] <= found["cure"].bounds[0] <= found["cure"].bounds[2]


def test_one_unit_silences_nobody() -> None:
    rng = np.random.default_rng(7)
    pairs = {"clear": simulated(rng, 100, 0.3), "clearer": simulated(rng, 100, 0.4)}
    one = Paired(np.array([6.0]), np.array([0.0]), np.array([6.0]))
    found = holm({"": one, **pairs}, 2000)
    assert [found[name].word for name in ("", "clear", "clearer")] == [
        "undecided",
        "harms",
        "harms",
    ]
    assert found[""].p == 1.0


@pytest.mark.parametrize("units", [12, 40, 200])
def test_p_is_the_level_at_which_the_interval_touches_zero(units: int) -> None:
    for seed in range(20):
        pair = simulated(np.random.default_rng(seed), units, 0.05)
        p = holm({"": pair}, 4000)[""].p
        drawn = draw(pair, 4000)
        low, high = interval(drawn, units, min(1.0, 1.3 * p + 0.01))
        assert low > 0 or high < 0 or p > 0.7
        low, high = interval(drawn, units, 0.7 * p)
        assert low <= 0 <= high or p < 0.02  # what so many draws can tell


def test_what_can_be_resolved_in_a_family_is_more_than_alone() -> None:
    pair = simulated(np.random.default_rng(8), 60, 0.0)
    alone = holm({"": pair}, 2000)[""].resolvable
    among = holm({str(number): pair for number in range(13)}, 2000)["0"].resolvable
    assert alone is not None and among is not None and 1.2 * alone < among < 1.6 * alone


def test_units_that_all_differ_alike_tell_no_size_of_a_set() -> None:
    words = np.full(40, 10.0)
    alike = Paired(np.ones(40), np.zeros(40), words)
    found = holm({"": alike}, draws=1000)[""]
    assert found.difference == -0.1 and found.resolvable is None
