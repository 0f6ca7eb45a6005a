"""Words are groups of symbols with the times of their frames; nothing decoded is silence."""

from __future__ import annotations

import math

import pytest
import torch

from ctcasr.ctc import Decoded, greedy
from ctcasr.decoding.hypothesis import Word, hypothesis_of, token_confidences, words_of
from ctcasr.text import Alphabet

ABC = Alphabet("abc ")


def frames(count: int) -> list[tuple[int, int]]:
    """One frame for each symbol, two apart."""
    return [(2 * index, 2 * index + 1) for index in range(count)]


@pytest.mark.parametrize("text", ["", "a", "ab", "ab c", "a b c", "abc abc"])
def test_words_are_those_of_the_text(text: str) -> None:
    tokens = ABC.encode(text)
    words = words_of(ABC, tokens, frames(len(tokens)), 0.04)
    assert [word.text for word in words] == text.split()
    ends = [time for word in words for time in (word.start_s, word.end_s)]
    assert ends == sorted(ends)


def test_spaces_at_the_ends_and_in_a_row_make_no_words() -> None:
    space, a = 4, 1
    words = words_of(ABC, [space, space, a, space], frames(4), 1.0)
    assert [(word.text, word.start_s, word.end_s) for word in words] == [("a", 4.0, 5.0)]


@pytest.mark.parametrize("frame", [1, 3, 6, 7, 95, 1234])
@pytest.mark.parametrize("frame_s", [0.005, 0.01, 0.04, 0.02])
def test_times_have_no_digits_that_nobody_measured(frame: int, frame_s: float) -> None:
    word = Word("a", frame * frame_s, (frame + 1) * frame_s)
    assert len(str(word.start_s)) <= len("12.345") and len(str(word.end_s)) <= len("12.345")
    assert word.start_s == pytest.approx(frame * frame_s, abs=1e-6)


def test_the_others_travel_with_the_best() -> None:
    row = [Decoded((1, 2), ((0, 1), (1, 2)), -1.0), Decoded((1,), ((0, 1),), -2.0)]
    best = hypothesis_of(ABC, row, 0.1)
    assert (best.text, best.score, [other.text for other in best.others]) == ("ab", -1.0, ["a"])


def test_no_hypothesis_is_silence_that_nothing_is_less_likely_than() -> None:
    nothing = hypothesis_of(ABC, [], 0.1)
    assert (nothing.text, nothing.words, nothing.score) == ("", (), -math.inf)


def test_a_word_is_as_certain_as_its_least_certain_symbol() -> None:
    probabilities = torch.tensor(
        [
            [0.1, 0.8, 0.1, 0.0, 0.0],  # a
            [0.1, 0.1, 0.6, 0.2, 0.0],  # b
            [0.1, 0.0, 0.7, 0.2, 0.0],  # b
            [0.1, 0.0, 0.0, 0.0, 0.9],  # the space
            [0.5, 0.0, 0.1, 0.4, 0.0],
            [0.4, 0.0, 0.1, 0.5, 0.0],  # c
        ]
    )
    logits = probabilities.clamp_min(1e-9).log() + torch.arange(6.0)[:, None]
    (decoded,) = greedy(logits[None], [6])
    assert token_confidences(logits, decoded) == pytest.approx([0.8, 0.7, 0.9, 0.5])
    words = hypothesis_of(ABC, [decoded, decoded], 0.1, logits)
    assert [word.confidence for word in words.words] == pytest.approx([0.7, 0.5])
    assert words.others[0].words == words.words


def test_without_logits_nobody_knows_how_certain_words_are() -> None:
    (word,) = words_of(ABC, [1, 2], frames(2), 0.1)
    assert word.confidence is None
    assert token_confidences(torch.zeros(3, 4), Decoded((), (), 0.0)) == []
