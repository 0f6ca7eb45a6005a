"""A language model's words against the alphabet: folded where that is one thing, else refused."""

from __future__ import annotations

import math
import warnings
from pathlib import Path

import pytest

from ctcasr.text import (
    Alphabet,
    ArpaError,
    NGram,
    UnfitModel,
    Words,
    fit_vocabulary,
    refuse_unfit,
    train_ngram,
)
from ctcasr.text.vocabulary import compare_vocabulary

ENGLISH = Alphabet.english38()
SENTENCES = [["lay", "blue"], ["lay", "red"], ["set", "blue"]]
LOUD = [[word.upper() for word in sentence] for sentence in SENTENCES]


def test_a_model_in_capitals_is_worth_what_the_same_is_worth_in_small_letters() -> None:
    quiet = train_ngram(SENTENCES, 2).model
    folded = fit_vocabulary(train_ngram(LOUD, 2).model, ENGLISH)
    assert folded.words == quiet.words
    for sentence in (["lay", "blue"], ["red", "never"], []):
        assert folded.score(sentence) == pytest.approx(quiet.score(sentence))


def test_a_model_that_is_written_as_the_alphabet_writes_is_left_as_it_is() -> None:
    model = train_ngram(SENTENCES, 2).model
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert fit_vocabulary(model, ENGLISH) is model


def test_words_that_fall_together_are_refused_with_examples() -> None:
    model = train_ngram([["Blue", "blue", "May", "may", "go"]], 2).model
    with pytest.raises(UnfitModel, match=r"mine: .*'Blue' and 'blue', 'May' and 'may'; train"):
        fit_vocabulary(model, ENGLISH, "mine")


def test_another_language_is_refused_with_examples() -> None:
    model = train_ngram([["жук", "дом", "кот", "ok"]], 2).model
    with pytest.raises(UnfitModel, match=r"cannot write 3 of 4, as 'дом'"):
        fit_vocabulary(model, ENGLISH)


def test_pieces_in_a_models_place_are_refused() -> None:
    model = train_ngram([["\u2581the", "\u2581ca", "t"]], 2).model
    with pytest.raises(UnfitModel, match="of pieces instead of words"):
        fit_vocabulary(model, ENGLISH)


def test_a_few_words_that_cannot_be_written_are_told() -> None:
    model = train_ngram([["blue", "&", "red", "well-known", "now"]], 2).model
    with pytest.warns(UserWarning, match="2 of 5 words can never be written.*'&', 'well-known'"):
        fit_vocabulary(model, ENGLISH)


def test_without_an_unknown_word_it_is_told_and_has_kenlms_value() -> None:
    trained = train_ngram(SENTENCES, 2).model
    model = NGram(2, {gram: v for gram, v in trained.grams.items() if gram != ("<unk>",)})
    with pytest.warns(UserWarning, match="has no <unk>.*-100"):
        fitted = fit_vocabulary(model, ENGLISH)
    _, nats = fitted.step(fitted.start(), "never")
    assert nats == pytest.approx(-100 * math.log(10))
    assert math.isfinite(fitted.score(["never", "never", "blue"]))
    words = Words(ENGLISH, fitted)
    state, total = words.start(), 0.0
    for token in ENGLISH.encode("never blue"):
        state, gain = words.step(state, token)
        total += gain
    assert math.isfinite(total + words.end(state))


@pytest.mark.parametrize("floor", ["-inf", "-99", "-1e9"])
def test_an_impossible_unknown_word_is_improbable(tmp_path: Path, floor: str) -> None:
    path = tmp_path / "lm.arpa"
    grams = f"-0.5\ta\n-0.5\t</s>\n-99\t<s>\n{floor}\t<UNK>\n"
    path.write_text(f"\\data\\\nngram 1=4\n\n\\1-grams:\n{grams}\n\\end\\\n")
    _, nats = NGram.read(path).step((), "b")
    assert -100 * math.log(10) <= nats < -90 * math.log(10)


def test_what_a_decoder_reads_itself_is_refused_where_it_would_be_folded(tmp_path: Path) -> None:
    good = train_ngram(SENTENCES, 2).model.write(tmp_path / "good.arpa")
    refuse_unfit(good, ENGLISH)
    loud = train_ngram(LOUD, 2).model.write(tmp_path / "loud.arpa")
    with pytest.raises(UnfitModel, match=r"loud\.arpa: expected words as the alphabet writes"):
        refuse_unfit(loud, ENGLISH)
    binary = tmp_path / "lm.bin"
    binary.write_bytes(b"mmap lm http://kheafield.com/code format version 5\n\0")
    refuse_unfit(binary, ENGLISH)
    with pytest.raises(ArpaError, match="there is none"):
        refuse_unfit(tmp_path / "none.arpa", ENGLISH)


def test_digits_are_compared_by_the_tokenizers_rule() -> None:
    spelling = Alphabet.english38(digits="spell")
    fit = compare_vocabulary(["4", "red", "42"], spelling)
    assert fit.written == {"4": "four", "red": "red"} and fit.unwritable == ("42",)
    assert compare_vocabulary(["4", "42"], ENGLISH).folded == 0
