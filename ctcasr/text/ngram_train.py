"""Modified Kneser-Ney smoothing (Chen and Goodman 1998; interpolated, as Heafield et al., ACL 2013, estimate it)."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ctcasr.text.ngram import BEGIN, END, UNKNOWN, NGram, Words

FALLBACK = (
    0.5,
    1.0,
    1.5,
)  # discounts of counts 1, 2, 3 and more, where counts of counts allow no estimate


@dataclass(frozen=True)
class Trained:
    """A model, the discounts of every order (of counts 1, 2, 3 and more), and the orders whose discounts are the fallback."""

    model: NGram
    discounts: tuple[tuple[float, float, float], ...]
    fallback: tuple[int, ...]


def train_ngram(
    sentences: Iterable[Sequence[str]], order: int = 3, words: Iterable[str] = ()
) -> Trained:
    """A model of `order`, or less where no sentence is so long; `words` are in its vocabulary even where no sentence has them.

    Lower orders count in how many contexts an n-gram was seen; those that begin with <s> are counted as they are. Unigrams
    are interpolated with the uniform distribution over the vocabulary and <unk>. ValueError for no sentences, or for words
    that stand for something.
    """
    if order < 1:
        raise ValueError(f"expected an order >= 1; got {order}")
    sentences = list(sentences)
    order = min(order, 2 + max(map(len, sentences), default=0))
    counts = _counts(sentences, order)
    if not sentences:
        raise ValueError("expected at least one sentence to train on; got none")
    vocabulary = {gram[0] for gram in counts[0]} | set(words) | {UNKNOWN}
    vocabulary.discard(BEGIN)

    grams: dict[Words, tuple[float, float]] = {}
    probability: dict[Words, float] = {(): 1.0 / len(vocabulary)}
    back_off: dict[Words, float] = {}
    discounts, fallback = [], []
    for n, count in enumerate(counts, start=1):
        if n == 1:
            count = Counter({gram: c for gram, c in count.items() if gram != (BEGIN,)})
        discount = _discounts(count.values())
        if discount is None:
            discount = FALLBACK
            fallback.append(n)
        discounts.append(discount)
        totals: dict[Words, float] = defaultdict(float)
        taken: dict[Words, float] = defaultdict(float)
        for gram, c in count.items():
            totals[gram[:-1]] += c
            taken[gram[:-1]] += discount[min(c, 3) - 1]
        weight = {context: taken[context] / total for context, total in totals.items()}
        back_off.update(weight)
        new: dict[Words, int] = dict.fromkeys(((word,) for word in vocabulary), 0) if n == 1 else {}
        for gram, c in {**new, **count}.items():
            context = gram[:-1]
            own = (c - discount[min(c, 3) - 1]) / totals[context] if c else 0.0
            probability[gram] = own + weight[context] * probability[gram[1:]]
    for gram, value in probability.items():
        if gram:
            grams[gram] = (
                math.log10(value),
                math.log10(back_off[gram]) if gram in back_off else 0.0,
            )
    grams[(BEGIN,)] = (-99.0, math.log10(back_off[(BEGIN,)]) if (BEGIN,) in back_off else 0.0)
    return Trained(NGram(order, grams), tuple(discounts), tuple(fallback))


def _counts(sentences: Iterable[Sequence[str]], order: int) -> list[Counter[Words]]:
    """Adjusted counts of n-grams, n = 1 to `order`."""
    raw: list[Counter[Words]] = [Counter() for _ in range(order)]
    for sentence in sentences:
        reserved = {BEGIN, END, UNKNOWN}.intersection(sentence)
        if reserved:
            named = ", ".join(sorted(reserved))
            raise ValueError(
                f"expected words; got {named}, which stands for something in a model: {' '.join(sentence)!r}"
            )
        whole = (BEGIN, *sentence, END)
        for n in range(1, order + 1):
            raw[n - 1].update(whole[at : at + n] for at in range(len(whole) - n + 1))
    adjusted = [raw[-1]]
    for n in range(order - 1, 0, -1):
        contexts: Counter[Words] = Counter(gram[1:] for gram in raw[n])
        contexts.update({gram: c for gram, c in raw[n - 1].items() if gram[0] == BEGIN})
        adjusted.insert(0, contexts)
    return adjusted


def _discounts(counts: Iterable[int]) -> tuple[float, float, float] | None:
    """D_k = k - (k + 1) Y t_(k+1) / t_k with Y = t_1 / (t_1 + 2 t_2); None where a t is zero or a D lies outside 0..k."""
    t = Counter(c for c in counts if c <= 4)
    if not all(t[k] for k in (1, 2, 3, 4)):
        return None
    y = t[1] / (t[1] + 2 * t[2])
    found = tuple(k - (k + 1) * y * t[k + 1] / t[k] for k in (1, 2, 3))
    return found if all(0 <= d <= k for k, d in enumerate(found, start=1)) else None  # type: ignore[return-value]
