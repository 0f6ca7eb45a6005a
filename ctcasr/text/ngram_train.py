"""Modified Kneser-Ney smoothing (Chen and Goodman 1998), interpolated.

Discounts are estimated as Heafield et al. (ACL 2013) do.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ctcasr.text.arpa import BEGIN, END, UNKNOWN, Gram
from ctcasr.text.ngram import NGram

Discount = tuple[float, float, float]  # of counts 1, 2, 3 and more

FALLBACK: Discount = (0.5, 1.0, 1.5)  # where counts of counts allow no estimate
_NEVER = -99.0  # log10 probability that ARPA files give to <s>, which nothing predicts


@dataclass(frozen=True)
class Trained:
    """A model, the discounts of every order, and the orders whose discounts are the fallback."""

    model: NGram
    discounts: tuple[Discount, ...]
    fallback: tuple[int, ...]


def train_ngram(
    sentences: Iterable[Sequence[str]], order: int = 3, words: Iterable[str] = ()
) -> Trained:
    """A model of `order`, or less where no sentence is so long.

    `words` are in its vocabulary even where no sentence has them. Lower orders count in how many
    contexts an n-gram was seen; those that begin with <s> are counted as they are. Unigrams are
    interpolated with the uniform distribution over the vocabulary and <unk>.

    Raises:
        ValueError: for no sentences, an order below 1, or words that stand for something.

    Example:
        >>> trained = train_ngram([["lay", "blue"], ["lay", "red"]], order=2)
        >>> sorted(trained.model.words)
        ['blue', 'lay', 'red']
    """
    if order < 1:
        raise ValueError(f"expected an order >= 1; got {order}")
    sentences = list(sentences)
    longest = max((len(sentence) for sentence in sentences), default=0)
    order = min(order, longest + 2)  # with <s> and </s>
    counts = _adjusted_counts(sentences, order)
    if not sentences:
        raise ValueError("expected at least one sentence to train on; got none")
    unigrams = counts[0]
    vocabulary = {UNKNOWN, *words}
    vocabulary.update(word for (word,) in unigrams)
    vocabulary.discard(BEGIN)

    estimate = _Estimate(vocabulary)
    for count in counts:
        estimate.add_order(count)
    model = NGram(order, estimate.grams())
    return Trained(model, tuple(estimate.discounts), tuple(estimate.fallback))


class _Estimate:
    """Probabilities and back-off weights, order by order from unigrams on."""

    def __init__(self, vocabulary: set[str]) -> None:
        self.vocabulary = vocabulary
        self.probability: dict[Gram, float] = {(): 1.0 / len(vocabulary)}
        self.back_off: dict[Gram, float] = {}
        self.discounts: list[Discount] = []
        self.fallback: list[int] = []

    def add_order(self, counts: Counter[Gram]) -> None:
        """The next order, from the adjusted counts of its n-grams."""
        seen = dict(counts)
        if not self.discounts:  # nothing predicts the beginning of a sentence
            seen.pop((BEGIN,), None)
        contexts = _Contexts(seen, self._next_discount(seen))
        self.back_off.update(contexts.weights)
        if len(self.discounts) == 1:
            seen = self._with_vocabulary(seen)
        for ngram, count in seen.items():
            context = ngram[:-1]
            shorter = self.probability[ngram[1:]]
            seen_share = contexts.discounted_share(context, count)
            backed_off = contexts.weights[context] * shorter
            self.probability[ngram] = seen_share + backed_off

    def grams(self) -> dict[Gram, tuple[float, float]]:
        """log10 probability and log10 back-off weight of every n-gram."""
        table = {}
        for ngram, probability in self.probability.items():
            if ngram:
                log10_probability = math.log10(probability)
                table[ngram] = (log10_probability, self._log10_back_off(ngram))
        table[(BEGIN,)] = (_NEVER, self._log10_back_off((BEGIN,)))
        return table

    def _next_discount(self, seen: Mapping[Gram, int]) -> Discount:
        """The discount of the next order, by estimate or the fallback."""
        discount = _estimated_discount(seen.values())
        if discount is None:
            discount = FALLBACK
            self.fallback.append(len(self.discounts) + 1)
        self.discounts.append(discount)
        return discount

    def _with_vocabulary(self, seen: Mapping[Gram, int]) -> dict[Gram, int]:
        """Counts of unigrams; every word of the vocabulary has one, perhaps 0."""
        counts: dict[Gram, int] = {(word,): 0 for word in self.vocabulary}
        counts.update(seen)
        return counts

    def _log10_back_off(self, ngram: Gram) -> float:
        return math.log10(self.back_off.get(ngram, 1.0))


class _Contexts:
    """What was seen behind every context, and what discounting takes from it."""

    def __init__(self, seen: Mapping[Gram, int], discount: Discount) -> None:
        self.discount = discount
        self.totals: dict[Gram, int] = defaultdict(int)
        taken: dict[Gram, float] = defaultdict(float)
        for ngram, count in seen.items():
            context = ngram[:-1]
            self.totals[context] += count
            taken[context] += self._discount_of(count)
        self.weights: dict[Gram, float] = {}
        for context, total in self.totals.items():
            self.weights[context] = taken[context] / total

    def discounted_share(self, context: Gram, count: int) -> float:
        """Share of a count in its context's, less the discount; 0 for what was not seen."""
        if count == 0:
            return 0.0
        kept = count - self._discount_of(count)
        return kept / self.totals[context]

    def _discount_of(self, count: int) -> float:
        kind = min(count, len(self.discount))
        return self.discount[kind - 1]


def _adjusted_counts(sentences: Iterable[Sequence[str]], order: int) -> list[Counter[Gram]]:
    """Adjusted counts of n-grams, n = 1 to `order`."""
    raw = _raw_counts(sentences, order)
    adjusted = [raw[-1]]
    for length in range(order - 1, 0, -1):
        contexts = Counter(longer[1:] for longer in raw[length])
        for ngram, count in raw[length - 1].items():
            if ngram[0] == BEGIN:
                contexts[ngram] += count
        adjusted.append(contexts)
    return adjusted[::-1]


def _raw_counts(sentences: Iterable[Sequence[str]], order: int) -> list[Counter[Gram]]:
    """Counts of n-grams as they are, n = 1 to `order`."""
    counts: list[Counter[Gram]] = [Counter() for _ in range(order)]
    for sentence in sentences:
        _refuse_reserved(sentence)
        bounded = (BEGIN, *sentence, END)
        for length, counter in enumerate(counts, start=1):
            counter.update(_ngrams(bounded, length))
    return counts


def _ngrams(words: Gram, length: int) -> Iterator[Gram]:
    for first in range(len(words) - length + 1):
        yield words[first : first + length]


def _refuse_reserved(sentence: Sequence[str]) -> None:
    reserved = {BEGIN, END, UNKNOWN}.intersection(sentence)
    if reserved:
        raise ValueError(
            f"expected words; got {', '.join(sorted(reserved))}, which stands for something in a "
            f"model: {' '.join(sentence)!r}"
        )


def _estimated_discount(counts: Iterable[int]) -> Discount | None:
    """D_k = k - (k + 1) Y t_(k+1) / t_k with Y = t_1 / (t_1 + 2 t_2), t_k n-grams seen k times.

    None where a t_1 to t_4 is zero, or a D_k lies outside 0..k. One of exactly 0 would leave
    nothing to back off with (log 0) in contexts where all was seen so often.
    """
    times = Counter(counts)
    if 0 in (times[1], times[2], times[3], times[4]):
        return None
    share_of_ones = times[1] / (times[1] + 2 * times[2])  # Y
    discounts = []
    for count in (1, 2, 3):
        ratio = times[count + 1] / times[count]
        discount = count - (count + 1) * share_of_ones * ratio
        if not 0 < discount <= count:
            return None
        discounts.append(discount)
    first, second, third = discounts
    return first, second, third
