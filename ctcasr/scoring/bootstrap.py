"""Is a difference of error rates real? Paired bootstrap over sentences or speakers, with Holm's correction."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

DRAWS = 10_000
FEW_SPEAKERS = 20  # from so many on, speakers are drawn; with fewer, sentences
_CHUNK = 500  # draws at a time


@dataclass(frozen=True)
class Paired:
    """Errors of two conditions on the same words, summed over each independent unit: arrays [U]."""

    base: NDArray[np.float64]
    other: NDArray[np.float64]
    words: NDArray[np.float64]

    def __post_init__(self) -> None:
        if not self.base.shape == self.other.shape == self.words.shape or self.base.ndim != 1:
            raise ValueError(
                f"expected three arrays [U]; got {self.base.shape}, {self.other.shape} and {self.words.shape}"
            )

    @property
    def difference(self) -> float:
        """Error rate of `other` less that of `base`; negative: fewer errors. NaN without words."""
        total = float(self.words.sum())
        return float((self.other - self.base).sum()) / total if total else math.nan


@dataclass(frozen=True)
class Difference:
    """A difference of error rates, its 95 % interval, the interval of its test (wider where several are tested), and the word for it."""

    difference: float
    interval: tuple[float, float]
    tested: tuple[float, float]
    p: float
    resolvable: (
        float | None
    )  # the smallest true difference that a set like this finds in 4 of 5 cases; None: no two units differ
    units: int
    word: str  # "helps", "harms", "undecided"

    @property
    def bounds(self) -> tuple[float, float, float]:
        """The difference and both ends of its 95 % interval."""
        return self.difference, *self.interval

    def as_json(self) -> dict[str, Any]:
        """Plain data; rates are shares of 1."""

        def plain(bounds: tuple[float, float]) -> list[float | None]:
            return [value if math.isfinite(value) else None for value in bounds]

        return {
            "difference": self.difference if math.isfinite(self.difference) else None,
            "interval_95": plain(self.interval),
            "interval_tested": plain(self.tested),
            "p": self.p,
            "resolvable": self.resolvable,
            "units": self.units,
            "word": self.word,
        }


def unit_sums(units: Sequence[str], *columns: Sequence[float]) -> list[NDArray[np.float64]]:
    """Columns [N] summed over the rows of each unit: arrays [U], units in the order of their names."""
    names = {name: index for index, name in enumerate(sorted(set(units)))}
    at = np.array([names[unit] for unit in units], dtype=np.int64)
    return [
        np.bincount(at, np.asarray(column, float), len(names)).astype(np.float64)
        for column in columns
    ]


def draw(pair: Paired, draws: int = DRAWS, seed: int = 0) -> NDArray[np.float64]:
    """Differences [draws] of units drawn anew with replacement (Bisani and Ney 2004), sorted; the same for the same seed."""
    if draws < 1000:
        raise ValueError(f"draws: expected at least 1000; got {draws}")
    units = len(pair.words)
    rng = np.random.default_rng([seed, units])
    found = np.zeros(draws)
    if units == 0:
        return found
    gain, words = pair.other - pair.base, pair.words
    for first in range(0, draws, _CHUNK):
        picked = rng.integers(0, units, (min(_CHUNK, draws - first), units))
        below = words[picked].sum(1)
        above = gain[picked].sum(1)
        found[first : first + len(picked)] = np.divide(
            above, below, out=np.zeros_like(above), where=below > 0
        )
    return np.sort(found)


def interval(drawn: NDArray[np.float64], units: int, level: float) -> tuple[float, float]:
    """Percentile interval that misses in `level` of the cases, widened as a t interval is for few units (Hesterberg 2015, section 5)."""
    if units < 2:
        return (-math.inf, math.inf)
    normal = NormalDist()
    tail = normal.cdf(
        -math.sqrt(units / (units - 1)) * _student(normal.inv_cdf(1 - level / 2), units - 1)
    )
    low, high = np.quantile(drawn, (tail, 1 - tail))
    return float(low), float(high)


def holm(
    pairs: Mapping[str, Paired], draws: int = DRAWS, seed: int = 0, level: float = 0.05
) -> dict[str, Difference]:
    """One family of tests, by Holm's step-down (1979): the k-th surest of m (from 0) is tested at level / (m - k) until one fails."""
    drawn = {name: draw(pair, draws, seed) for name, pair in pairs.items()}
    p = {name: _p_value(values) for name, values in drawn.items()}
    order = sorted(pairs, key=lambda name: (p[name], name))
    found: dict[str, Difference] = {}
    at = level
    stopped = False
    for rank, name in enumerate(order):
        at = at if stopped else level / (len(order) - rank)
        pair, values = pairs[name], drawn[name]
        units = len(pair.words)
        tested = interval(values, units, at)
        word = "undecided" if stopped else word_of(tested)
        stopped = stopped or word == "undecided"
        found[name] = Difference(
            pair.difference,
            interval(values, units, level),
            tested,
            p[name],
            _resolvable(values, level),
            units,
            word,
        )
    return {name: found[name] for name in pairs}


def against(
    base: str, errors: Mapping[str, Sequence[Sequence[float]]], words: Sequence[float]
) -> dict[str, Difference]:
    """Every other condition against `base`: errors [runs][U], summed over as many runs as both have; words [U]; one family of tests."""
    pairs = {}
    for name, runs in errors.items():
        if name != base:
            both = min(len(runs), len(errors[base]))
            mine, other = (
                np.sum(np.asarray(part[:both], float), axis=0) for part in (errors[base], runs)
            )
            pairs[name] = Paired(mine, other, both * np.asarray(words, float))
    return holm(pairs)


def word_of(bounds: tuple[float, float]) -> str:
    """`helps` where a whole interval of WER differences lies below zero, `harms` above, else `undecided`."""
    low, high = bounds
    return "helps" if high < 0 else "harms" if low > 0 else "undecided"


def _p_value(drawn: NDArray[np.float64]) -> float:
    """Two-sided: twice the share of draws on the other side of zero, never below what this many draws can tell."""
    beyond = min(int((drawn <= 0).sum()), int((drawn >= 0).sum()))
    return min(1.0, 2 * (beyond + 1) / (len(drawn) + 1))


def _resolvable(drawn: NDArray[np.float64], level: float) -> float | None:
    """(z of the level + z of 80 % power) standard errors."""
    error = float(drawn.std())
    return (
        (NormalDist().inv_cdf(1 - level / 2) + NormalDist().inv_cdf(0.8)) * error
        if error > 0
        else None
    )


def _student(z: float, freedom: int) -> float:
    """The t quantile that corresponds to the normal quantile z (Cornish-Fisher, Abramowitz and Stegun 26.7.5)."""
    return z + (z**3 + z) / (4 * freedom) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)
