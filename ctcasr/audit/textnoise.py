"""Which lines have the text of another one: every recording against all texts of the manifest.

A line's text is its own, or (share s) one drawn of all texts of the manifest, whatever is said.
With n(t) the share of lines that have the text t,

    P(text | sound) = (1 - s) softmax_t( ln n(t) + b nats(t) )[text] + s n(text)

s is fitted by expectation maximisation, b by the likelihood of the texts that are written.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import Levenshtein
from scipy.special import expit, logsumexp

from ctcasr.audit.heard import Heard
from ctcasr.audit.scorer import Spelling, by_network

TRUSTS = (0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.65, 0.8, 1.0)
_ALL_TEXTS = 1000  # so many are tried as a whole, of more the nearest to what was heard
_NEAREST = 200
_ROUNDS = 30  # of expectation maximisation
_FIRST_SHARE = 0.05
# Swaps that are believed in before anything was seen, of so many lines: the share is never 0.
_PRIOR_SWAPS = 0.1
_PRIOR_LINES = 20.0
_SMALLEST_SHARE = 1e-5
_LARGEST_SHARE = 0.9
_SURE = 0.95  # a line that is so probably swapped says nothing of the shares of wrong words
_AS_GOOD = 2.0  # nats of the whole manifest that speak for nothing
BONUSES = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0)  # nats that a symbol may be worth
SOUNDS = (1.0, 2.0, 4.0, 8.0)  # nats of the network that one of models of words may be worth


@dataclass(frozen=True, eq=False)
class Texts:
    """The distinct texts of a manifest, N of them, and how many lines have each."""

    texts: tuple[str, ...]
    log_shares: NDArray[np.float64]  # ln n(t) [N]

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
        distances = [Levenshtein.normalized_distance(text, hypothesis) for text in self.texts]
        nearest_first = np.argsort(distances, kind="stable")
        nearest = set(nearest_first[:_NEAREST].tolist())
        nearest.add(self.texts.index(own))
        return sorted(nearest)


@dataclass(frozen=True)
class Worth:
    """What is added to the network's nats of a text."""

    sound: float = 1.0  # for each nat of models of words
    symbol: float = 0.0  # for each symbol


@dataclass(frozen=True)
class OwnText:
    """Nats of a line's own text, as it is written and as it was corrected, if it was."""

    written: float
    corrected: float = -np.inf
    price: float = 0.0  # log prior of the changes that correct it

    def fit(self, trust: float) -> float:
        """Log weight of the one or the other, at a trust in nats."""
        return float(np.logaddexp(trust * self.written, trust * self.corrected + self.price))


@dataclass(frozen=True, eq=False)
class TextTable:
    """Nats of one recording with its own text, and with each of K others."""

    own: float  # nats
    own_log_share: float
    others: NDArray[np.int64]  # [K] numbers of the texts
    nats: NDArray[np.float64]  # [K]
    log_shares: NDArray[np.float64]  # [K]
    symbols: NDArray[np.int64]  # [K] lengths of the others
    own_symbols: int
    # Nats of the same texts by models of words, where there are such; not in those above.
    own_sound: float = 0.0
    sound: NDArray[np.float64] | None = None  # [K]

    @property
    def nats_per_symbol(self) -> NDArray[np.float64]:
        """Of the others [K]."""
        per_symbol: NDArray[np.float64] = self.nats / self.symbols.clip(1)
        return per_symbol

    @property
    def own_text(self) -> OwnText:
        """Its own text as it is written."""
        return OwnText(self.own)

    def weighed(self, worth: Worth) -> TextTable:
        """The same with what a symbol is worth, and with models of words."""
        own = self.own + worth.symbol * self.own_symbols
        nats = self.nats + worth.symbol * self.symbols
        if self.sound is None:
            return replace(self, own=own, nats=nats)
        own += worth.sound * self.own_sound
        nats = nats + worth.sound * self.sound
        return replace(self, own=own, nats=nats, own_sound=0.0, sound=None)


def text_table(heard: Heard, texts: Texts, spelling: Spelling) -> TextTable:
    """The table of one line."""
    near = texts.near(heard.hypothesis, heard.text)
    tried = [texts.texts[number] for number in near]
    nats = by_network(heard, tried, spelling)
    numbers = np.array(near, dtype=np.int64)
    symbols = np.array([len(spelling(text)) for text in tried], dtype=np.int64)
    log_shares = texts.log_shares[numbers]
    own = tried.index(heard.text)
    is_other = np.arange(len(tried)) != own
    own_sound = 0.0
    sound = None
    if heard.sound is not None:
        of_sound = heard.sound.nats(tried)
        own_sound = float(of_sound[own])
        sound = of_sound[is_other]
    return TextTable(
        own=float(nats[own]),
        own_log_share=float(log_shares[own]),
        others=numbers[is_other],
        nats=nats[is_other],
        log_shares=log_shares[is_other],
        symbols=symbols[is_other],
        own_symbols=int(symbols[own]),
        own_sound=own_sound,
        sound=sound,
    )


@dataclass(frozen=True)
class TextNoise:
    """The share of lines that have another one's text, and how far nats are trusted."""

    swapped: float = 0.02
    trust: float = 0.5

    def log_odds(self, table: TextTable, own: OwnText) -> float:
        """That a text is another's against that it is the line's own."""
        fit_own = table.own_log_share + own.fit(self.trust)
        fit_all = np.logaddexp(fit_own, _total(table, self.trust))
        of_itself = np.log1p(-self.swapped) + fit_own - fit_all
        of_another = np.log(self.swapped) + table.own_log_share
        return float(of_another - of_itself)

    def surely(self, table: TextTable, own: OwnText) -> bool:
        """Whether a line surely has another's text."""
        return bool(expit(self.log_odds(table, own)) > _SURE)


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
    best_first = np.argsort(-shares, kind="stable")
    best = []
    for place in best_first[:most]:
        number = int(table.others[place])
        best.append((number, float(shares[place])))
    return best


def _total(table: TextTable, trust: float) -> float:
    """Log weight of all other texts."""
    if not len(table.nats):
        return -np.inf
    return float(logsumexp(trust * table.nats + table.log_shares))


def fit_worth(tables: Sequence[TextTable]) -> Worth:
    """What symbols and sound are worth: the least under which the texts are about likeliest."""
    any_sound = any(table.sound is not None for table in tables)
    likelihoods = {}
    for worth in itertools.product(SOUNDS if any_sound else (1.0,), BONUSES):
        weighed = [table.weighed(Worth(*worth)) for table in tables]
        own = [table.own_text for table in weighed]
        likelihoods[worth] = _likeliest(weighed, own).log_likelihood
    enough = max(likelihoods.values()) - _AS_GOOD
    good = [worth for worth, likelihood in likelihoods.items() if likelihood >= enough]
    return Worth(*min(good))


def fit_swaps(
    tables: Sequence[TextTable], own: Sequence[OwnText] = (), worth: Worth = Worth()
) -> TextNoise:
    """The share and the trust under which the written texts are likeliest.

    With what the lines' `own` texts were corrected to, if they were. A text that was corrected fits
    as well as any, so that this trust says only what is swapped; how far the nats of a text can be
    trusted elsewhere, is said by the texts as they are written. Nothing but the price of a
    correction would hold this trust back: nats of models of words, which were multiplied by their
    `worth`, are trusted no further than as they came.
    """
    own = own or [table.own_text for table in tables]
    return _likeliest(tables, own, most_trust=1 / worth.sound).noise


@dataclass(frozen=True)
class _Fit:
    """A model of swaps, and how likely it makes what is written."""

    noise: TextNoise
    log_likelihood: float


def _likeliest(
    tables: Sequence[TextTable], own: Sequence[OwnText], most_trust: float = 1.0
) -> _Fit:
    """Over all trusts up to the most; of trusts as good the least."""
    fits = [_fit(tables, own, trust) for trust in TRUSTS if trust <= most_trust]
    return max(fits, key=lambda fit: fit.log_likelihood)


def _fit(tables: Sequence[TextTable], own: Sequence[OwnText], trust: float) -> _Fit:
    """The likeliest share of swaps at a trust."""
    log_shares = np.array([table.own_log_share for table in tables])
    fits_own = log_shares + np.array([text.fit(trust) for text in own])
    fits_others = np.array([_total(table, trust) for table in tables])
    log_right = fits_own - np.logaddexp(fits_own, fits_others)
    share = _FIRST_SHARE
    for _ in range(_ROUNDS):
        right = np.log1p(-share) + log_right
        swapped = np.log(share) + log_shares
        posteriors = np.exp(swapped - np.logaddexp(right, swapped))
        swaps = float(posteriors.sum()) + _PRIOR_SWAPS
        share = swaps / (len(tables) + _PRIOR_LINES)
        share = min(max(share, _SMALLEST_SHARE), _LARGEST_SHARE)
    right = np.log1p(-share) + log_right
    swapped = np.log(share) + log_shares
    log_likelihoods_of_lines = np.logaddexp(right, swapped)
    return _Fit(TextNoise(share, trust), float(log_likelihoods_of_lines.sum()))
