"""Which lines have the text of another one: every recording against all texts of the manifest.

A line's text is its own, or (share s) one drawn of all texts of the manifest, whatever is said.
With n(t) the share of lines that have the text t,

    P(text | sound) = (1 - s) softmax_t( ln n(t) + b nats(t) )[text] + s n(text)

s is fitted by expectation maximisation, b by the likelihood of the texts that are written.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import Levenshtein
from scipy.special import logsumexp

from ctcasr.audit.heard import Heard
from ctcasr.audit.scorer import Spelling, log_likelihoods
from ctcasr.audit.wordnoise import TRUSTS

_ALL_TEXTS = 1000  # so many are tried as a whole, of more the nearest to what was heard
_NEAREST = 200
_ROUNDS = 30
_FEW = 0.1
_OF_MANY = 20.0
_AS_GOOD = 2.0  # nats of the whole manifest that speak for nothing
BONUSES = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0)  # nats that a symbol may be worth


@dataclass(frozen=True, eq=False)
class Texts:
    """The distinct texts of a manifest, and how many lines have each."""

    texts: tuple[str, ...]
    log_shares: NDArray[np.float64]

    @staticmethod
    def of(texts: Sequence[str]) -> Texts:
        """Of the texts of all lines.

        Example:
            >>> Texts.of(["b", "a", "b"]).texts
            ('a', 'b')
        """
        counts = Counter(texts)
        distinct = tuple(sorted(counts))
        numbers = np.array([counts[text] for text in distinct], dtype=np.float64)
        return Texts(distinct, np.log(numbers / max(len(texts), 1)))

    def near(self, hypothesis: str, own: str) -> list[int]:
        """Which texts are worth trying for a line; all of a small manifest."""
        if len(self.texts) <= _ALL_TEXTS:
            return list(range(len(self.texts)))
        far = [Levenshtein.normalized_distance(text, hypothesis) for text in self.texts]
        nearest = set(np.argsort(far, kind="stable")[:_NEAREST].tolist())
        nearest.add(self.texts.index(own))
        return sorted(nearest)


@dataclass(frozen=True, eq=False)
class TextTable:
    """Nats of one recording with its own text, and with each of the others."""

    own: float
    own_log_share: float
    others: NDArray[np.int64]  # numbers of the texts
    nats: NDArray[np.float64]
    log_shares: NDArray[np.float64]
    symbols: NDArray[np.int64]  # of the others
    own_symbols: int

    def with_bonus(self, bonus: float) -> TextTable:
        """The same with so many nats for each symbol."""
        return replace(
            self,
            own=self.own + bonus * self.own_symbols,
            nats=self.nats + bonus * self.symbols,
        )


def text_table(heard: Heard, texts: Texts, spelling: Spelling) -> TextTable:
    """The table of one line."""
    near = texts.near(heard.hypothesis, heard.text)
    nats = log_likelihoods(heard, [texts.texts[number] for number in near], spelling)
    numbers = np.array(near, dtype=np.int64)
    symbols = np.array([len(spelling(texts.texts[number])) for number in near], dtype=np.int64)
    own = numbers == texts.texts.index(heard.text)
    return TextTable(
        own=float(nats[own][0]),
        own_log_share=float(texts.log_shares[numbers[own]][0]),
        others=numbers[~own],
        nats=nats[~own],
        log_shares=texts.log_shares[numbers[~own]],
        symbols=symbols[~own],
        own_symbols=int(symbols[own][0]),
    )


@dataclass(frozen=True)
class TextNoise:
    """The share of lines that have another one's text, and how far nats are trusted."""

    swapped: float = 0.02
    trust: float = 0.5

    def log_odds(self, table: TextTable, own: float) -> float:
        """That a text is another's against that it is the line's own, of `own` nats."""
        fit_own = table.own_log_share + self.trust * own
        fit_all = np.logaddexp(fit_own, _total(table, self.trust))
        of_another = np.log(self.swapped) + table.own_log_share
        return float(of_another - np.log1p(-self.swapped) - (fit_own - fit_all))


def partners(table: TextTable, trust: float, most: int = 3) -> list[tuple[int, float]]:
    """The texts that fit best, with their shares among the others.

    Example:
        >>> nats = np.array([-40.0, -10.0])
        >>> shares, symbols = np.array([-1.0, -1.0]), np.array([9, 9])
        >>> table = TextTable(-90.0, -1.0, np.array([4, 7]), nats, shares, symbols, own_symbols=9)
        >>> partners(table, trust=0.5)[0][0]
        7
    """
    if not len(table.nats):
        return []
    scores = trust * table.nats + table.log_shares
    shares = np.exp(scores - logsumexp(scores))
    best = np.argsort(-shares, kind="stable")[:most]
    return [(int(table.others[place]), float(shares[place])) for place in best]


def _total(table: TextTable, trust: float) -> float:
    """Log weight of all other texts."""
    if not len(table.nats):
        return -np.inf
    return float(logsumexp(trust * table.nats + table.log_shares))


def fit_bonus(tables: Sequence[TextTable]) -> float:
    """What a symbol is worth: the least bonus under which the texts are about likeliest."""
    likelihoods = {}
    for bonus in BONUSES:
        worth = [table.with_bonus(bonus) for table in tables]
        own = [table.own for table in worth]
        likelihoods[bonus] = max(_fit(worth, own, trust)[1] for trust in TRUSTS)
    enough = max(likelihoods.values()) - _AS_GOOD
    return min(bonus for bonus, likelihood in likelihoods.items() if likelihood >= enough)


def fit_swaps(tables: Sequence[TextTable], own: Sequence[float]) -> TextNoise:
    """The share and the trust under which the written texts are likeliest; `own` nats of each."""
    best = TextNoise()
    best_likelihood = -np.inf
    for trust in TRUSTS:
        noise, likelihood = _fit(tables, own, trust)
        if likelihood > best_likelihood:
            best = noise
            best_likelihood = likelihood
    return best


def _fit(
    tables: Sequence[TextTable], own: Sequence[float], trust: float
) -> tuple[TextNoise, float]:
    """The share of swaps at a trust, and the log-likelihood of the written texts."""
    own_shares = np.array([table.own_log_share for table in tables])
    fit_own = own_shares + trust * np.array(own)
    all_others = np.array([_total(table, trust) for table in tables])
    log_right = fit_own - np.logaddexp(fit_own, all_others)
    share = 0.05
    for _ in range(_ROUNDS):
        right = np.log1p(-share) + log_right
        other = np.log(share) + own_shares
        posteriors = np.exp(other - np.logaddexp(right, other))
        share = (float(posteriors.sum()) + _FEW) / (len(tables) + _OF_MANY)
        share = min(max(share, 1e-5), 0.9)
    likelihood = np.logaddexp(np.log1p(-share) + log_right, np.log(share) + own_shares).sum()
    return TextNoise(share, trust), float(likelihood)
