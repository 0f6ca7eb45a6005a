"""Is a difference of error rates real? Paired bootstrap over sentences or speakers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

DRAWS = 10_000
FEWEST_DRAWS = 1000  # fewer cannot tell the ends of a 95 % interval
FEW_SPEAKERS = 20  # from so many on, speakers are drawn; with fewer, sentences
LEVEL = 0.05  # share of cases in which an interval may miss the truth
POWER = 0.8  # share of cases in which a resolvable difference is found
_NO_SPREAD = 1e-12  # standard error below which only rounding tells draws apart
_DRAWS_AT_ONCE = 500  # bounds the memory: one number for each of them and each unit

HELPS = "helps"
HARMS = "harms"
UNDECIDED = "undecided"

Bounds = tuple[float, float]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Paired:
    """Errors of two conditions on the same words, summed over each independent unit: arrays [U].

    Raises:
        ValueError: where the arrays are not of one length.
    """

    base: Floats
    other: Floats
    words: Floats

    def __post_init__(self) -> None:
        same_length = self.base.shape == self.other.shape == self.words.shape
        if not same_length or self.base.ndim != 1:
            raise ValueError(
                "expected three arrays [U] of one length; got "
                f"{self.base.shape}, {self.other.shape} and {self.words.shape}"
            )

    @property
    def difference(self) -> float:
        """Error rate of `other` less that of `base`; negative: fewer errors. NaN without words."""
        total_words = float(self.words.sum())
        if not total_words:
            return math.nan
        return float((self.other - self.base).sum()) / total_words


@dataclass(frozen=True)
class Difference:
    """A difference of error rates, how sure it is, and the word for it.

    `interval` is the 95 % interval. `tested` is that of the test, wider where several are tested.
    """

    difference: float
    interval: Bounds
    tested: Bounds
    p: float
    resolvable: float | None  # smallest difference found in 4 of 5 cases; None: no units differ
    units: int
    word: str  # HELPS, HARMS or UNDECIDED

    @property
    def bounds(self) -> tuple[float, float, float]:
        """The difference and both ends of its 95 % interval."""
        return self.difference, *self.interval

    def as_json(self) -> dict[str, float | int | str | list[float | None] | None]:
        """The fields as plain data, shares of 1; what is not finite is null.

        Keys: difference, interval_95 and interval_tested (each [low, high]), p, resolvable, units,
        word.
        """
        return {
            "difference": _finite(self.difference),
            "interval_95": [_finite(end) for end in self.interval],
            "interval_tested": [_finite(end) for end in self.tested],
            "p": self.p,
            "resolvable": self.resolvable,
            "units": self.units,
            "word": self.word,
        }


def unit_sums(units: Sequence[str], *columns: Sequence[float]) -> list[Floats]:
    """Columns [N] summed over the rows of each unit: arrays [U], in the order of the units' names.

    Example:
        >>> [sums.tolist() for sums in unit_sums(["b", "a", "b"], [1, 2, 3])]
        [[2.0, 4.0]]
    """
    names, unit_of_row = np.unique(np.asarray(units, dtype=np.str_), return_inverse=True)
    sums = []
    for column in columns:
        weights = np.asarray(column, float)
        sums.append(np.bincount(unit_of_row, weights, len(names)).astype(np.float64))
    return sums


def refuse_bad_draws(draws: int, seed: int) -> None:
    """ValueError for less than 1000 draws, and for a negative seed.

    For who draws after hours of other work.

    Example:
        >>> refuse_bad_draws(10, seed=0)
        Traceback (most recent call last):
        ValueError: draws: expected at least 1000; got 10
    """
    if draws < FEWEST_DRAWS:
        raise ValueError(f"draws: expected at least {FEWEST_DRAWS}; got {draws}")
    if seed < 0:
        raise ValueError(f"seed: expected 0 or more; got {seed}")


def draw(pair: Paired, draws: int = DRAWS, seed: int = 0) -> Floats:
    """Differences [draws] of units drawn anew with replacement, sorted; the same for the same seed.

    Bisani and Ney, "Bootstrap estimates for confidence intervals in ASR", ICASSP 2004.

    Raises:
        ValueError: as `refuse_bad_draws`.
    """
    refuse_bad_draws(draws, seed)
    units = len(pair.words)
    rng = np.random.default_rng([seed, units])
    differences = np.zeros(draws)
    if units == 0:
        return differences
    gain = pair.other - pair.base
    for first in range(0, draws, _DRAWS_AT_ONCE):
        rows = min(_DRAWS_AT_ONCE, draws - first)
        picked = rng.integers(0, units, (rows, units))
        words = pair.words[picked].sum(1)
        more_errors = gain[picked].sum(1)
        quotients = np.zeros_like(more_errors)
        np.divide(more_errors, words, out=quotients, where=words > 0)
        differences[first : first + rows] = quotients
    return np.sort(differences)


def interval(drawn: Floats, units: int, level: float) -> Bounds:
    """Percentile interval of sorted draws that misses in `level` of the cases.

    Widened as a t interval is for few units (Hesterberg, "What teachers should know about the
    bootstrap", 2015, section 5); infinite for less than two units.
    """
    if units < 2:
        return (-math.inf, math.inf)
    from scipy.special import ndtr, stdtrit  # takes as long to load as half of this library

    quantile_of_t = float(stdtrit(units - 1, 1 - level / 2))
    tail = float(ndtr(-math.sqrt(units / (units - 1)) * quantile_of_t))
    low, high = np.quantile(drawn, (tail, 1 - tail))
    return float(low), float(high)


def holm(
    pairs: Mapping[str, Paired], draws: int = DRAWS, seed: int = 0, level: float = LEVEL
) -> dict[str, Difference]:
    """One family of tests by Holm's step-down (1979): the differences by the names of `pairs`.

    The k-th surest of m (from 0) is tested at level / (m - k), until one fails.

    Raises:
        ValueError: for less than 1000 draws.

    Example:
        >>> errors, words = np.array([3.0, 2.0, 4.0, 3.0] * 10), np.full(40, 6.0)
        >>> fewer = Paired(base=errors, other=errors - 2, words=words)
        >>> holm({"enhanced": fewer}, draws=1000)["enhanced"].word
        'helps'
    """
    drawn = {name: draw(pair, draws, seed) for name, pair in pairs.items()}
    p_values = {}
    for name, values in drawn.items():
        p_values[name] = _p_value(values, len(pairs[name].words))
    surest_first = sorted(pairs, key=lambda name: (p_values[name], name))
    differences: dict[str, Difference] = {}
    level_of_test = level
    failed = False
    for rank, name in enumerate(surest_first):
        if not failed:
            level_of_test = level / (len(pairs) - rank)
        units = len(pairs[name].words)
        tested = interval(drawn[name], units, level_of_test)
        word = UNDECIDED if failed else word_of(tested)
        failed = failed or word == UNDECIDED
        differences[name] = Difference(
            difference=pairs[name].difference,
            interval=interval(drawn[name], units, level),
            tested=tested,
            p=p_values[name],
            resolvable=_resolvable(drawn[name], level / len(pairs), units),
            units=units,
            word=word,
        )
    return {name: differences[name] for name in pairs}


def against(
    base: str, errors: Mapping[str, Sequence[Sequence[float]]], words: Sequence[float]
) -> dict[str, Difference]:
    """Every other condition against `base`, as one family of tests.

    `errors` are [runs][U] by condition, summed over as many runs as both conditions have;
    `words` are [U].

    Example:
        >>> errors = {"plain": [[3, 2, 4] * 9], "cure": [[1, 0, 2] * 9], "half": [[3, 2, 4] * 9]}
        >>> {name: found.word for name, found in against("plain", errors, [6] * 27).items()}
        {'cure': 'helps', 'half': 'undecided'}
    """
    pairs = {}
    for name, runs in errors.items():
        if name == base:
            continue
        common = min(len(runs), len(errors[base]))
        pairs[name] = Paired(
            base=_over_runs(errors[base], common),
            other=_over_runs(runs, common),
            words=common * np.asarray(words, float),
        )
    return holm(pairs)


def word_of(bounds: Bounds) -> str:
    """`helps` where the whole interval of a difference is below zero, `harms` above."""
    low, high = bounds
    if high < 0:
        return HELPS
    if low > 0:
        return HARMS
    return UNDECIDED


def _over_runs(errors: Sequence[Sequence[float]], runs: int) -> Floats:
    """Errors [U], summed over the first `runs` of [runs][U]."""
    summed: Floats = np.sum(np.asarray(errors[:runs], float), axis=0)
    return summed


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _p_value(drawn: Floats, units: int) -> float:
    """Two-sided: the level at which `interval` would touch zero.

    Never below what this many draws of this many units can tell; 1 for less than two units.
    """
    if units < 2:
        return 1.0
    from scipy.special import ndtri, stdtr  # takes as long to load as half of this library

    beyond = min(int((drawn <= 0).sum()), int((drawn >= 0).sum()))
    share = min(0.5, (beyond + 1) / (len(drawn) + 1))
    quantile_of_t = -float(ndtri(share)) / math.sqrt(units / (units - 1))
    return 2 * float(stdtr(units - 1, -quantile_of_t))


def _resolvable(drawn: Floats, level: float, units: int) -> float | None:
    """(t of the level + z of the power) standard errors; None where no draw differs.

    `level` is that of one test of the family, so that the promise holds in it.
    """
    standard_error = float(drawn.std())
    if standard_error < _NO_SPREAD or units < 2:
        return None
    from scipy.special import ndtri, stdtrit  # takes as long to load as half of this library

    widened = math.sqrt(units / (units - 1)) * float(stdtrit(units - 1, 1 - level / 2))
    return (widened + float(ndtri(POWER))) * standard_error
