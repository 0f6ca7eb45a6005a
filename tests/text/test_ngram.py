"""n-gram models: distributions that sum to one, files that say what the model says, and KenLM's opinion where it is installed."""

from __future__ import annotations

import math
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctcasr.text import ArpaError, NGram, train_ngram
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
    """Sum of the probabilities of everything that can follow, for every context of the model and one it does not know."""
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
    # "a b", "a c": counts <s>a 2, ab 1, ac 1, b</s> 1, c</s> 1; continuation counts a 1, b 1, c 1, </s> 2; fallback discounts.
    model = train_ngram([["a", "b"], ["a", "c"]], 2).model
    uniform = 1 / 5  # a b c </s> <unk>
    unigram_weight = (3 * 0.5 + 1.0) / 5
    b = (1 - 0.5) / 5 + unigram_weight * uniform
    assert math.exp(model.step((), "b")[1]) == pytest.approx(b)
    assert math.exp(model.step(("a",), "b")[1]) == pytest.approx((1 - 0.5) / 2 + 0.5 * b)
    assert math.exp(model.step(("b",), "b")[1]) == pytest.approx(0.5 * b)
    assert math.exp(model.step(("<s>",), "a")[1]) == pytest.approx((2 - 1.0) / 2 + 0.5 * b)


def test_it_prefers_what_it_has_read() -> None:
    train, test = zipf(300), zipf(50, seed=1)
    ordered = [sorted(s) for s in test]
    model = train_ngram([sorted(s) for s in train], 3).model
    assert model.perplexity(ordered) < 0.8 * model.perplexity([list(reversed(s)) for s in ordered])
    assert model.perplexity([["x", "y"]]) > model.perplexity(ordered)


def test_a_score_is_the_product_of_its_steps_whatever_context_is_handed_in() -> None:
    model = train_ngram(zipf(200), 3).model
    for words in zipf(20, seed=3):
        whole, total = ("<s>",), 0.0
        for word in [*words, "</s>"]:
            total += model.step(whole, word)[1]  # the full history, not the shortened one
            whole = (*whole, word)[-2:]
        assert model.score(words) == pytest.approx(total)


def test_written_and_read_again(tmp_path: Path) -> None:
    model = train_ngram(zipf(100), 3).model
    again = NGram.read(model.write(tmp_path / "deep" / "lm.arpa"))
    assert (
        again.order == 3 and again.words == model.words and again.grams.keys() == model.grams.keys()
    )
    assert again.perplexity(zipf(30, 2)) == pytest.approx(model.perplexity(zipf(30, 2)), rel=1e-5)


def test_kenlm_agrees(tmp_path: Path) -> None:
    kenlm = pytest.importorskip("kenlm", reason="kenlm is not installed (extra lm)")
    for order in (2, 3, 4):
        path = train_ngram(zipf(200), order).model.write(tmp_path / f"{order}.arpa")
        model, peer = NGram.read(path), kenlm.Model(str(path))
        for words in [*zipf(40, seed=4), ["w1", "unheard", "w2"], ["unheard"]]:
            assert model.score(words) == pytest.approx(
                math.log(10) * peer.score(" ".join(words), bos=True, eos=True), rel=1e-4
            )


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "no ARPA file"),
        ("\\data\\\nngram 1=1\n\n\\1-grams:\n-1\ta\n", "truncated"),
        ("\\data\\\nngram 1=2\n\n\\1-grams:\n-1\ta\n\\end\\\n", "expected 2 n-grams of order 1"),
        ("\\data\\\nngram 1=1\n\n\\1-grams:\nx\ta\n\\end\\\n", "lm.arpa:5"),
    ],
)
def test_broken_files_are_named(text: str, told: str, tmp_path: Path) -> None:
    (tmp_path / "lm.arpa").write_text(text)
    with pytest.raises(ArpaError, match=told):
        NGram.read(tmp_path / "lm.arpa")


def test_what_cannot_be_trained_on() -> None:
    with pytest.raises(ValueError, match="at least one sentence"):
        train_ngram([], 3)
    with pytest.raises(ValueError, match="<s>"):
        train_ngram([["<s>", "a"]], 2)
    with pytest.raises(ArpaError, match="there is none"):
        NGram.read("nowhere.arpa")
