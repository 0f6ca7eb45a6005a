"""Words of a family: never by few units, never by a few endless hypotheses, nobody silenced."""

from __future__ import annotations

import numpy as np
import pytest

from ctcasr.compare.significance import (
    FEWEST_UNITS,
    decide_family,
    rejected_by_holm,
    sign_flip_p,
)
from ctcasr.scoring.bootstrap import Paired
from tools.study.null_sets import shares


def simulated(
    rng: np.random.Generator, units: int, gain: float = 0.0, loops: float = 0.0
) -> Paired:
    """Six words a sentence; a share of hypotheses with dozens of insertions on either side."""
    hard = rng.beta(2, 4, units)
    base = rng.binomial(6, hard).astype(float)
    other = rng.binomial(6, np.clip(hard + gain, 0, 1)).astype(float)
    for errors in (base, other):
        errors += (rng.random(units) < loops) * rng.integers(50, 200, units)
    return Paired(base, other, np.full(units, 6.0))


def test_an_incomplete_folder_silences_no_other() -> None:
    rng = np.random.default_rng(0)
    pairs = {"good": simulated(rng, 80, -0.2), "better": simulated(rng, 80, -0.3)}
    one_file = Paired(np.array([5.0]), np.array([0.0]), np.array([6.0]))
    alone = decide_family(pairs, 2000)
    with_it = decide_family({"": one_file, **pairs}, 2000)
    assert with_it[""].word == "undecided"
    for name in pairs:
        assert with_it[name].word == alone[name].word == "helps"
        assert with_it[name].difference.tested == alone[name].difference.tested


@pytest.mark.parametrize("units", [1, 2, 5, FEWEST_UNITS - 1])
def test_few_units_have_no_word(units: int) -> None:
    all_better = Paired(np.full(units, 5.0), np.zeros(units), np.full(units, 6.0))
    assert decide_family({"": all_better}, 1000)[""].word == "undecided"


@pytest.mark.parametrize("loops", [0.0, 0.02])
def test_nothing_real_has_a_word_in_at_most_one_of_twenty_families(loops: float) -> None:
    rng = np.random.default_rng(1)
    families = 120
    wrong = 0
    for seed in range(families):
        pairs = {number: simulated(rng, 40, loops=loops) for number in range(8)}
        tested = decide_family(pairs, 2000, seed)
        wrong += any(test.word != "undecided" for test in tested.values())
    assert wrong / families <= 0.055 + 2 * 0.02  # two standard errors of so few families


@pytest.mark.slow
@pytest.mark.parametrize("units", [12, 30, 70, 200])
@pytest.mark.parametrize("loops", [0.0, 0.01, 0.03])
def test_nothing_real_has_a_word_simulated(units: int, loops: float) -> None:
    rng = np.random.default_rng(units)
    sets = 2000
    wrong = 0
    for seed in range(sets):
        wrong += decide_family({"": simulated(rng, units, loops=loops)}, 1000, seed)[""].word != (
            "undecided"
        )
    assert wrong / sets <= 0.055


@pytest.mark.slow
@pytest.mark.parametrize("sentences", [30, 70, 200, 1000])
@pytest.mark.parametrize("speakers", [1, 5, 30])
def test_words_and_intervals_hold_what_they_promise(sentences: int, speakers: int) -> None:
    found = shares(sentences, speakers, sets=2000)
    assert found.alone <= 5.5
    assert found.family is None or found.family <= 5.5
    assert found.loops <= 5.5
    assert 93.5 <= found.covered <= 96.5


@pytest.mark.slow
@pytest.mark.parametrize("size", [1, 8, 13])
def test_the_promised_difference_is_found_in_a_family_of_any_size(size: int) -> None:
    def pair(rng: np.random.Generator, gain: float) -> Paired:
        hard = 0.25 + 0.4 * rng.beta(2, 4, 70)
        base = rng.binomial(6, hard).astype(float)
        other = rng.binomial(6, hard + gain).astype(float)
        return Paired(base, other, np.full(70, 6.0))

    rng = np.random.default_rng(size)
    promises = []
    for seed in range(20):
        family = {number: pair(rng, 0.0) for number in range(size)}
        promises.append(decide_family(family, 1000, seed)[0].difference.resolvable or 0.0)
    promised = float(np.mean(promises))
    found = 0
    sets = 400
    for seed in range(sets):
        family = {number: pair(rng, -promised if number == 0 else 0.0) for number in range(size)}
        found += decide_family(family, 1000, seed)[0].word == "helps"
    assert 0.73 <= found / sets <= 0.87  # 4 of 5, within three standard errors of so few sets


@pytest.mark.slow
def test_strata_of_two_judges_are_one_family_of_wrong_words() -> None:
    """Four groups of scenes, two judges whose errors have the same hard scenes."""
    rng = np.random.default_rng(5)
    sets = 2000
    wrong = 0
    for seed in range(sets):
        hard = rng.beta(2, 4, (4, 20))
        family = {}
        for group in range(4):
            for judge in range(2):
                base = rng.binomial(6, hard[group]).astype(float)
                other = rng.binomial(6, hard[group]).astype(float)
                family[group, judge] = Paired(base, other, np.full(20, 6.0))
        tested = decide_family(family, 1000, seed)
        wrong += any(test.word != "undecided" for test in tested.values())
    assert wrong / sets <= 0.055


def test_sign_flips_are_exact_for_few_units() -> None:
    errors = np.full(10, 3.0)
    pair = Paired(errors, errors - np.arange(1, 11) / 10, np.full(10, 6.0))
    assert sign_flip_p(pair, 20_000) == pytest.approx(2 / 2**10, abs=7e-4)
    assert sign_flip_p(Paired(errors, errors, errors), 1000) == 1.0


def test_holm_steps_down_until_one_fails() -> None:
    assert rejected_by_holm({"a": 0.01, "b": 0.024, "c": 0.026, "d": 0.5}) == {"a"}
    assert rejected_by_holm({"a": 0.01, "b": 0.016, "c": 0.024, "d": 0.04}) == set("abcd")
    assert rejected_by_holm({}) == set()
