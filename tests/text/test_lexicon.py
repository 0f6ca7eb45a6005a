"""Lexicons: written forms, beginnings, and words that cannot be written."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctcasr.text import Alphabet, Hotwords, Lexicon, train_ngram
from ctcasr.text.lexicon import writable

ENGLISH = Alphabet.english38()


@given(st.lists(st.text("abc", min_size=1), min_size=1))
def test_beginnings_are_those_of_the_words(words: list[str]) -> None:
    lexicon = Lexicon.of(words, ENGLISH)
    assert lexicon.words == set(words)
    assert lexicon.words | {""} <= lexicon.beginnings
    for beginning in lexicon.beginnings:
        assert any(word.startswith(beginning) for word in words)


def test_words_of_a_file_are_its_first_fields(tmp_path: Path) -> None:
    path = tmp_path / "words.txt"
    path.write_text("\ufeffBlue b l u e\n\nred\n", encoding="utf-8")
    assert Lexicon.read(path, ENGLISH).words == {"blue", "red"}


def test_files_that_are_none_are_named(tmp_path: Path) -> None:
    path = tmp_path / "words.txt"
    path.write_bytes("gr\u00fcn".encode("latin-1"))
    with pytest.raises(ValueError, match=r"words\.txt: expected a lexicon in UTF-8"):
        Lexicon.read(path, ENGLISH)
    path.write_text("ok\nno&no\n")
    with pytest.raises(ValueError, match=r"words\.txt: lexicon: .*'no&no' with '&'"):
        Lexicon.read(path, ENGLISH)


@pytest.mark.parametrize("phrase", ["caf\u00e9 & bar", "жук", "don%t", "\u200bgo"])
def test_what_cannot_be_written_is_refused_by_name(phrase: str) -> None:
    for build in (
        lambda: Lexicon.of([phrase], ENGLISH),
        lambda: Hotwords(ENGLISH, ["blue", phrase]),
        lambda: writable(phrase, ENGLISH, "hotwords"),
    ):
        with pytest.raises(ValueError, match="expected words of the alphabet's characters; got"):
            build()


def test_a_phrase_of_which_nothing_is_left_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing can be written"):
        Lexicon.of(["'"], ENGLISH)


def test_a_models_lexicon_is_what_can_be_written_of_it() -> None:
    model = train_ngram([["blue", "%", "RED"]], 2).model
    assert Lexicon.of_model(model, ENGLISH).words == {"blue", "red"}


def test_what_a_model_calls_a_word_and_the_alphabet_several_is_in_no_lexicon() -> None:
    model = train_ngram([["vis-a-vis", "blue"]], 2).model
    assert Lexicon.of_model(model, ENGLISH).words == {"blue"}
