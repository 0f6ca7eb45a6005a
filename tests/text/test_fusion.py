"""Scorers: what is added along the way is what the text is worth, however it is cut."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctcasr.text import (
    Alphabet,
    Hotwords,
    Lexicon,
    Pieces,
    ScorerSum,
    Tokenizer,
    Words,
    train_ngram,
)

ABC = Alphabet(" abc")
MODEL = train_ngram([["ab", "c"], ["ab", "ab", "c"], ["c"]], 2).model
PIECES = Pieces.train(["ab c", "ab ab c", "c abc cab", "abcab bca"], 10, Alphabet(" abc"))


def worth(scorer: Any, tokenizer: Tokenizer, tokens: list[int]) -> float:
    state, total = scorer.start(), 0.0
    for token in tokens:
        state, gain = scorer.step(state, token)
        assert hash(state) is not None
        total += gain
    return total + scorer.end(state)


@given(st.lists(st.sampled_from(["ab", "c", "ca", "b"]), max_size=6))
def test_words_are_scored_as_the_model_scores_the_sentence(words: list[str]) -> None:
    scorer_of = {
        tokenizer: Words(tokenizer, MODEL, weight=0.7, bonus=0.3) for tokenizer in (ABC, PIECES)
    }
    for tokenizer, scorer in scorer_of.items():
        wanted = 0.7 * MODEL.score(words) + 0.3 * len(words)
        assert worth(scorer, tokenizer, tokenizer.encode(" ".join(words))) == pytest.approx(wanted)


def test_spaces_more_than_needed_change_nothing() -> None:
    scorer = Words(ABC, MODEL)
    plain = worth(scorer, ABC, ABC.encode("ab c"))
    space = ABC.encode("a b")[1]
    assert worth(
        scorer, ABC, [space, *ABC.encode("ab"), space, space, *ABC.encode("c"), space]
    ) == pytest.approx(plain)


@pytest.mark.parametrize("tokenizer", [ABC, PIECES], ids=["alphabet", "pieces"])
def test_a_lexicon_allows_exactly_its_words(tokenizer: Tokenizer) -> None:
    scorer = Words(tokenizer, lexicon=Lexicon.of(["ab", "abc", "c"], tokenizer))
    for words in itertools.product(["ab", "abc", "c", "a", "b", "ca"], repeat=2):
        allowed = set(words) <= {"ab", "abc", "c"}
        assert (worth(scorer, tokenizer, tokenizer.encode(" ".join(words))) == 0.0) is allowed


def test_a_wrong_beginning_is_forbidden_at_once() -> None:
    scorer = Words(ABC, lexicon=Lexicon.of(["ab", "cab"], ABC))
    assert scorer.step(scorer.start(), ABC.encode("b")[0])[1] == -math.inf


@pytest.mark.parametrize(
    ("text", "matched"),
    [
        ("ab", 2),
        ("ab c", 2),
        ("c ab", 2),
        ("abc", 0),
        ("cab", 0),
        ("a", 0),
        ("", 0),
        ("ab ab", 4),
        ("b ab", 2),
        ("ca cb", 5),
        ("ca ca cb", 5),
        ("ca ab", 2),
        ("ca", 0),
        ("ca c", 0),
        ("ab b", 4),
        ("ab bc", 2),
        ("ab b ab b", 8),
    ],
)
def test_hotwords_earn_for_whole_phrases_only(text: str, matched: int) -> None:
    for tokenizer in (ABC, PIECES):
        scorer = Hotwords(tokenizer, ["ab", "ca cb", "ab b"], bonus=0.5)
        assert worth(scorer, tokenizer, tokenizer.encode(text)) == pytest.approx(0.5 * matched)


def test_a_hotword_draws_from_its_first_character_on() -> None:
    scorer = Hotwords(ABC, ["abc"], bonus=2.0)
    state, gain = scorer.step(scorer.start(), ABC.encode("a")[0])
    assert gain == 2.0
    assert scorer.step(state, ABC.encode("c")[0])[1] == -2.0  # and is taken back


def test_several_scorers_add_up() -> None:
    parts = Words(ABC, MODEL), Hotwords(ABC, ["ab"])
    tokens = ABC.encode("ab c ab")
    assert worth(ScorerSum(parts), ABC, tokens) == pytest.approx(
        sum(worth(part, ABC, tokens) for part in parts)
    )


def test_what_is_missing_is_told(tmp_path: Any) -> None:
    with pytest.raises(ValueError, match="at least one word"):
        Lexicon.of([], ABC)
    with pytest.raises(ValueError, match="'x'"):
        Lexicon.of(["ax"], ABC)
    with pytest.raises(ValueError, match="no such file"):
        Lexicon.read(tmp_path / "none.txt", ABC)
    with pytest.raises(ValueError, match="at least one phrase"):
        Hotwords(ABC, [""])
    (tmp_path / "words.txt").write_text("ab a b\n\nC\n")
    assert Lexicon.read(tmp_path / "words.txt", ABC).words == {"ab", "c"}
