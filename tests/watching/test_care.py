"""A look costs its share of the time, and nothing of it is felt by the loop."""

from __future__ import annotations

import pytest
import torch

from ctcasr.watching.care import Care, drawing_nothing


def test_random_numbers_go_on_as_if_nobody_had_looked() -> None:
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    with drawing_nothing():
        torch.rand(100)
    assert torch.equal(torch.rand(3), expected)


def test_the_first_error_is_a_warning_and_ends_looking() -> None:
    care = Care(0.02)

    def fail() -> None:
        raise KeyError("mine")

    with pytest.warns(UserWarning, match="looks no more"):
        care.guarded(fail)
    looks: list[int] = []
    care.guarded(lambda: looks.append(1))
    assert care.broken and looks == []


def test_a_look_within_a_look_is_left_out() -> None:
    care = Care(0.02)
    looks: list[bool] = []
    care.guarded(lambda: care.guarded(lambda: looks.append(True)))
    with care.own_losses():
        care.guarded(lambda: looks.append(True))
    assert looks == [] and not care.looking
    care.guarded(lambda: looks.append(care.looking))
    assert looks == [True]


def test_looking_stops_where_its_share_is_spent() -> None:
    generous = Care(1e9)
    mean = Care(1e-9)
    for care in (generous, mean):
        care.first_look_is_over()
        care.guarded(lambda: torch.rand(100).sort())
    assert generous.may_look
    assert not mean.may_look


def test_the_first_look_is_free() -> None:
    care = Care(1e-9)
    care.guarded(care.first_look_is_over)
    assert care.may_look


def test_the_first_looks_are_made_until_they_take_a_second() -> None:
    care = Care(1e-9)
    care.first_look_is_over()
    care.guarded(lambda: None)
    assert care.is_generous and not care.may_look


def test_gradients_are_off_within_a_look_and_on_again_behind_it() -> None:
    care = Care(0.01)
    looks: list[bool] = []
    care.guarded(lambda value: looks.append(value or torch.is_grad_enabled()), False)
    assert looks == [False] and torch.is_grad_enabled()
