"""The odds that a word is right, by the share of words that was left."""

from __future__ import annotations

import math

import pytest
import torch

from ctcasr.recognise.left_words import LeftWords


def leave(left: LeftWords, count: float, words: int) -> None:
    """One step in which so many of the words are left."""
    (count * left.cost(words)).backward()


def test_before_the_first_step_a_word_costs_nothing_more() -> None:
    left = LeftWords()
    cost = left.cost(5)
    assert left.share is None and cost.item() == 0.0 and cost.requires_grad


def test_the_first_step_counts_whole_and_later_ones_a_fiftieth() -> None:
    left = LeftWords()
    leave(left, 2.0, words=10)
    assert left.share == pytest.approx(0.2)
    leave(left, 0.0, words=10)
    assert left.share == pytest.approx(0.2 * 0.98)


@pytest.mark.parametrize("share", [0.01, 0.1, 0.3])
def test_the_odds_are_those_of_the_share(share: float) -> None:
    assert LeftWords(share).odds == pytest.approx(math.log((1 - share) / share))


def test_leaving_becomes_no_cheaper_where_most_is_left() -> None:
    assert LeftWords(0.5).odds == LeftWords(0.9).odds == 0.0


def test_where_nothing_is_left_the_odds_stay_finite() -> None:
    left = LeftWords(0.01)
    for _ in range(2000):
        leave(left, 0.0, words=100)
    assert left.share == pytest.approx(0.0, abs=1e-6)
    assert 9 < left.odds < 10


def test_a_step_without_words_changes_the_share_towards_nothing_left() -> None:
    left = LeftWords(0.5)
    leave(left, 0.0, words=0)
    assert left.share == pytest.approx(0.49)


def test_it_goes_on_where_it_stopped_also_from_an_older_file() -> None:
    left = LeftWords()
    leave(left, 1.0, words=4)
    other = LeftWords()
    other.load_state_dict(left.state_dict())
    assert other == left
    other.load_state_dict({})
    assert other.share is None


def test_what_is_told_is_the_sum_of_the_posteriors() -> None:
    """A loss whose words are left with probabilities p = sigmoid(a - cost) has that slope."""
    left = LeftWords()
    scores = torch.tensor([0.3, -1.0, 2.0])
    loss = -torch.log1p(torch.exp(scores - left.cost(words=3))).sum()
    loss.backward()
    assert left.share == pytest.approx(float(torch.sigmoid(scores).sum()) / 3)
