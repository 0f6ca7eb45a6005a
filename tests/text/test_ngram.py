"""n-gram models: scores, files that say what the model says, and KenLM's opinion."""

from __future__ import annotations

import math
import random
from pathlib import Path

import pytest

from ctcasr.text import ArpaError, NGram, train_ngram


def zipf(sentences: int, seed: int = 0, words: int = 60) -> list[list[str]]:
    """Sentences with frequent and rare words, so that counts of counts allow an estimate."""
    draw = random.Random(seed)
    return [
        [f"w{int(words ** draw.random())}" for _ in range(draw.randrange(1, 9))]
        for _ in range(sentences)
    ]


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
