"""Costs of a star over a training, and how rare words are."""

import math

import pytest
import torch

from ctcasr.ctc import InputError, StarSchedule, WordRarity
from ctcasr.ctc.star_schedule import words_of

WORDS = torch.tensor([[0]])


def test_words_are_left_behind_their_share_of_the_steps_and_labels_before():
    schedule = StarSchedule.parse("3:1,0.5,20:10@0.5", steps=8)
    assert schedule.bypasses_words
    before = [schedule.at(step, WORDS) for step in (0, 2, 3)]
    assert [star.label_cost for star in before] == [3, 2, 1.5]
    assert {star.gap_cost for star in before} == {0.5}
    assert {star.word_cost for star in before} == {math.inf}
    behind = [schedule.at(step, WORDS) for step in (4, 6, 8, 80)]
    assert [star.word_cost for star in behind] == [20, 15, 10, 10]
    assert {(star.label_cost, star.gap_cost) for star in behind} == {(math.inf, math.inf)}
    assert {star.inside_cost for star in behind} == {-math.inf}  # they teach nothing


def test_without_words_labels_have_all_the_steps():
    schedule = StarSchedule.parse("4:-2,1", steps=6)
    assert not schedule.bypasses_words
    assert [schedule.at(step).label_cost for step in (0, 3, 6, 60)] == [4, 1, -2, -2]
    assert {schedule.at(step).gap_cost for step in (0, 3, 6, 60)} == {1}
    assert StarSchedule.parse("inf,2", steps=6).at(3).label_cost == math.inf


def test_words_may_be_left_from_the_first_step_on():
    star = StarSchedule.parse("1,1,5@0", steps=4).at(0, WORDS)
    assert (star.label_cost, star.word_cost) == (math.inf, 5)


@pytest.mark.parametrize(
    "text",
    [
        *("", "1", "1,2,3,4", "1:2:3,4", "cheap,1", "nan,1"),
        *("1,2@0.5", "1,2,3", "1,2,3@", "1,2,3@1", "1,2,3@nan", "1,2,3@-1", "1@0.5"),
        *("inf:1,0", "1,0:inf", "-inf,1", "1,nan", "1:2:3,0", "1,1,inf:3@0.5"),
    ],
)
def test_costs_in_words_are_checked_before_the_first_step(text):
    with pytest.raises(InputError, match="costs of the star"):
        StarSchedule.parse(text, steps=1)


def test_infinite_costs_may_be_written_as_ends():
    assert StarSchedule.parse("inf:inf,inf", steps=10).at(5).gap_cost == math.inf


def test_rarity_is_added_to_the_cost_of_each_word():
    rarity = torch.tensor([[0.0, 2.5]])
    star = StarSchedule.parse("1,1,4@0", steps=4).at(0, torch.tensor([[0, 1]]), rarity)
    assert star.word_cost.tolist() == [[4.0, 6.5]]


def test_odds_are_added_to_the_cost_of_every_word():
    words = torch.tensor([[0, 1]])
    schedule = StarSchedule.parse("1,1,4@0", steps=4)
    odds = torch.tensor(1.5)
    assert float(schedule.at(0, words, odds=odds).word_cost) == 5.5
    rarity = torch.tensor([[0.0, 2.5]])
    assert schedule.at(0, words, rarity, odds).word_cost.tolist() == [[5.5, 8.0]]


def test_rarity_is_the_logarithm_of_a_words_share():
    rarity = WordRarity.among([[2], [2], [2, 3], [4]])
    targets = torch.tensor([[2, 9, 2, 3, 0], [4, 0, 0, 0, 0]])
    words = torch.tensor([[0, -1, 1, 1, -1], [0, -1, -1, -1, -1]])
    nats = rarity.of(targets, words)
    expected = torch.tensor([[math.log(2), math.log(4)], [math.log(4), 0.0]])
    torch.testing.assert_close(nats, expected)


def test_a_word_that_training_does_not_hold_is_as_rare_as_one_that_it_holds_once():
    rarity = WordRarity({(2,): 9, (3,): 1})
    nats = rarity.of(torch.tensor([[3, 4]]), torch.tensor([[0, 1]]))
    assert nats[0, 0] == nats[0, 1] == pytest.approx(math.log(10))
    assert WordRarity({}).of(torch.tensor([[3]]), WORDS).tolist() == [[0.0]]


def test_rows_without_words_have_none():
    assert words_of(torch.zeros(2, 0, dtype=torch.int64), torch.zeros(2, 0)) == [[], []]
    nats = WordRarity({}).of(torch.tensor([[1]]), torch.tensor([[-1]]))
    assert nats.shape == (1, 0)
