"""Training n-grams: distributions that sum to one, discounts, a bigram by hand."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctcasr.text import NGram, train_ngram
from ctcasr.text.ngram_train import FALLBACK

WORDS = st.lists(st.lists(st.sampled_from("abcd"), max_size=6), min_size=1, max_size=12)


def zipf(sentences: int, seed: int = 0, words: int = 60) -> list[list[str]]:
    """Sentences with frequent and rare words, so that counts of counts allow an estimate."""
    draw = random.Random(seed)
    return [
        [f"w{int(words ** draw.random())}" for _ in range(draw.randrange(1, 9))]
        for _ in range(sentences)
    ]


def sums(model: NGram) -> dict[tuple[str, ...], float]:
    """Sum of the probabilities of what can follow, for every context and an unknown one."""
    contexts = (
        {gram[:-1] for gram in model.grams}
        | {gram for gram in model.grams if len(gram) < model.order}
        | {("a", "nowhere")}
    )
    return {
        context: sum(
            math.exp(model.step(context, word)[1]) for word in [*model.words, "</s>", "<unk>"]
        )
        for context in contexts
        if context[-1:] != ("</s>",)
    }


@settings(max_examples=60)
@given(WORDS, st.integers(1, 4))
def test_what_can_follow_any_context_sums_to_one(sentences: list[list[str]], order: int) -> None:
    model = train_ngram(sentences, order, words=["never"]).model
    assert sums(model) == {context: pytest.approx(1.0, abs=1e-9) for context in sums(model)}
    assert math.exp(model.step((), "never")[1]) > 0 and model.step((), "never")[1] == pytest.approx(
        model.step((), "<unk>")[1]
    )


def test_estimated_discounts_and_a_sum_of_one() -> None:
    trained = train_ngram(zipf(300), 3)
    assert trained.fallback == (1,) or trained.fallback == ()
    assert all(0 < d < k for discount in trained.discounts for k, d in enumerate(discount, start=1))
    assert max(abs(total - 1) for total in sums(trained.model).values()) < 1e-9


def test_a_closed_grammar_falls_back_by_name() -> None:
    trained = train_ngram([["lay", "blue"], ["lay", "red"]] * 4, 2)
    assert trained.fallback == (1, 2) and trained.discounts == (FALLBACK, FALLBACK)


def test_a_bigram_by_hand() -> None:
    # "a b", "a c": counts <s>a 2, ab 1, ac 1, b</s> 1, c</s> 1; continuation counts a 1, b 1,
    # c 1, </s> 2; fallback discounts.
    model = train_ngram([["a", "b"], ["a", "c"]], 2).model
    uniform = 1 / 5  # a b c </s> <unk>
    unigram_weight = (3 * 0.5 + 1.0) / 5
    b = (1 - 0.5) / 5 + unigram_weight * uniform
    assert math.exp(model.step((), "b")[1]) == pytest.approx(b)
    assert math.exp(model.step(("a",), "b")[1]) == pytest.approx((1 - 0.5) / 2 + 0.5 * b)
    assert math.exp(model.step(("b",), "b")[1]) == pytest.approx(0.5 * b)
    assert math.exp(model.step(("<s>",), "a")[1]) == pytest.approx((2 - 1.0) / 2 + 0.5 * b)


def test_words_that_nobody_said_are_known() -> None:
    model = train_ngram([["a"]], 2, words=["never"]).model
    assert model.words == {"a", "never"} and model.knows_unknown


def test_the_order_is_no_higher_than_the_longest_sentence() -> None:
    assert train_ngram([["a", "b"]], 9).model.order == 4
    with pytest.raises(ValueError, match="order >= 1"):
        train_ngram([["a"]], 0)


@pytest.mark.parametrize("order", [1, 2, 3])
def test_a_discount_of_exactly_nothing_is_no_estimate(order: int) -> None:
    # Y = 6 / (6 + 2 * 3) = 1/2, so that D_3 = 3 - 4 * 1/2 * 3/2 = 0
    times = {1: 6, 2: 3, 3: 2, 4: 3}
    sentences = []
    for count, words in times.items():
        for word in range(words):
            sentences += [[f"seen{count}{chr(ord('a') + word)}"]] * count
    trained = train_ngram(sentences, order)
    assert order in trained.fallback
    assert all(math.isclose(total, 1.0) for total in sums(trained.model).values())
