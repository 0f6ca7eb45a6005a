"""When a watch looks closely."""

from itertools import pairwise

import torch

from ctcasr.watching.calls import KeptRows, Moment
from ctcasr.watching.care import Care
from ctcasr.watching.checks import FIRST_CHECK, FREE_CHECKS, FREE_STEPS_APART, CheckTimes
from ctcasr.watching.loss_call import SeenRows


def stingy() -> CheckTimes:
    """Times of a watch that may look at nothing but what is free."""
    return CheckTimes(Care(share=0.0))


def scored_at(step: int) -> KeptRows:
    """A row that was scored at a step."""
    rows = SeenRows(torch.zeros(1, 4, 3), (4,), (torch.tensor([1]),), 0)
    return KeptRows(rows, Moment(step, 0.0))


def test_the_first_checks_are_free_where_they_lie_apart_and_later_ones_wait() -> None:
    times = stingy()
    made = []
    for step in range(200):
        if times.may_check("dev", step):
            times.note("dev", step)
            made.append(step)
    assert made == [FREE_STEPS_APART * number for number in range(1, FREE_CHECKS + 1)]


def test_before_any_step_nothing_is_checked_however_much_time_there_is() -> None:
    assert not CheckTimes(Care(share=1.0)).may_check("train", 0)


def test_checks_of_a_loop_without_dev_part_come_further_and_further_apart() -> None:
    times = stingy()
    due = []
    for step in range(1000):
        if times.is_due(step):
            times.put_off(step)
            due.append(step)
    gaps = [after - before for before, after in pairwise(due)]
    assert due[0] == FIRST_CHECK
    assert gaps == sorted(gaps) and gaps[-1] > 5 * gaps[0]


def test_rows_are_news_where_they_were_scored_after_the_last_check_of_their_part() -> None:
    times = stingy()
    times.note("dev", 30)
    assert not times.is_news("dev", None, 40)
    assert not times.is_news("dev", scored_at(30), 40)
    assert times.is_news("dev", scored_at(31), 40)
    assert times.is_news("train", scored_at(30), 40)


def test_rows_scored_before_any_step_are_news_only_where_there_was_none() -> None:
    times = stingy()
    assert times.is_news("dev", scored_at(0), 0)
    assert not times.is_news("dev", scored_at(0), 40)
