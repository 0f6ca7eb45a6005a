"""Which differences are real: one family of tests, decided by two tests that must agree."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from ctcasr.scoring.bootstrap import DRAWS, LEVEL, UNDECIDED, Difference, Paired, holm

FEWEST_UNITS = 10  # with fewer independent units there is no word: neither test can be trusted
FLIPS_AT_ONCE = 1000  # bounds the memory: one sign for each of them and each unit
ROUNDING = 1e-9  # by which sums of errors may differ that are equal

Name = TypeVar("Name", bound=Hashable)


@dataclass(frozen=True)
class Tested:
    """A difference of error rates, and the p of the second test beside it."""

    difference: Difference
    sign_flip_p: float

    @property
    def word(self) -> str:
        """helps, harms or undecided."""
        return self.difference.word


def decide_family(
    pairs: Mapping[Name, Paired], draws: int = DRAWS, seed: int = 0
) -> dict[Name, Tested]:
    """All pairs as one family: a word holds where both tests, each corrected by Holm, say so.

    The bootstrap gives the intervals. Where a few hypotheses never end, as those of some
    recognisers do, its intervals are too narrow; the signs of the units' differences, which are
    as likely to be one way as the other where nothing is real, know no such thing. A pair of less
    than 10 units is in no family and has no word: an incomplete folder silences no other.

    Raises:
        ValueError: for less than 1000 draws.

    Example:
        >>> errors, words = np.array([3.0, 2.0, 4.0, 3.0] * 10), np.full(40, 6.0)
        >>> fewer = Paired(base=errors, other=errors - 2, words=words)
        >>> few = Paired(base=errors[:3], other=errors[:3] - 2, words=words[:3])
        >>> tested = decide_family({"all": fewer, "three files": few}, draws=1000)
        >>> tested["all"].word, tested["three files"].word
        ('helps', 'undecided')
    """
    tested: dict[Name, Tested] = {}
    family: dict[str, Paired] = {}
    names: dict[str, Name] = {}
    for number, (name, pair) in enumerate(pairs.items()):
        if len(pair.words) >= FEWEST_UNITS:
            family[str(number)] = pair
            names[str(number)] = name
        else:
            alone = holm({"": pair}, draws, seed)[""]
            tested[name] = Tested(replace(alone, word=UNDECIDED), 1.0)
    differences = holm(family, draws, seed)
    flip_p = {key: sign_flip_p(pair, draws, seed) for key, pair in family.items()}
    real = rejected_by_holm(flip_p)
    for key, difference in differences.items():
        if key not in real:
            difference = replace(difference, word=UNDECIDED)
        tested[names[key]] = Tested(difference, flip_p[key])
    return {name: tested[name] for name in pairs}


def sign_flip_p(pair: Paired, draws: int = DRAWS, seed: int = 0) -> float:
    """Two-sided p of the paired sign-flip (permutation) test on errors by unit.

    Fisher 1935; where no unit differs, 1.

    Example:
        >>> errors, words = np.full(12, 3.0), np.full(12, 6.0)
        >>> sign_flip_p(Paired(errors, errors - 1, words)) < 0.01
        True
    """
    gains = (pair.other - pair.base)[pair.other != pair.base]
    if not len(gains):
        return 1.0
    observed = abs(float(gains.sum())) - ROUNDING
    rng = np.random.default_rng([seed, len(gains)])
    as_far = 0
    for first in range(0, draws, FLIPS_AT_ONCE):
        count = min(FLIPS_AT_ONCE, draws - first)
        signs: NDArray[np.int64] = rng.integers(0, 2, (count, len(gains))) * 2 - 1
        sums = np.abs(signs @ gains)
        as_far += int((sums >= observed).sum())
    return (as_far + 1) / (draws + 1)


def rejected_by_holm(p_values: Mapping[str, float], level: float = LEVEL) -> set[str]:
    """The names whose hypothesis of no difference falls, by Holm's step-down (1979).

    Example:
        >>> sorted(rejected_by_holm({"a": 0.001, "b": 0.02, "c": 0.2}))
        ['a', 'b']
    """
    rejected: set[str] = set()
    for name in sorted(p_values, key=lambda name: p_values[name]):
        left = len(p_values) - len(rejected)
        if p_values[name] > level / left:
            break
        rejected.add(name)
    return rejected
