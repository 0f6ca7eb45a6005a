"""The protocol between trainer and heads: every head keeps it."""

from __future__ import annotations

import inspect

import pytest
import torch

from ctcasr.classify import Classify
from ctcasr.enhance import Enhance
from ctcasr.recognise import Recognise
from ctcasr.task import Loss, Stateful, Task, alone

METHODS = ("step", "after_step", "check", "judge", "export", "parameters")


@pytest.mark.parametrize("head", [Recognise, Enhance, Classify])
def test_every_head_is_a_task(head: type) -> None:
    for name in METHODS:
        wanted = list(inspect.signature(getattr(Task, name)).parameters)
        assert list(inspect.signature(getattr(head, name)).parameters) == wanted, name
    assert isinstance(head.title, property)


def test_only_a_task_that_collects_has_a_state() -> None:
    assert issubclass(Recognise, Stateful)
    assert not issubclass(Classify, Stateful)


def test_a_loss_says_nothing_unless_it_is_asked() -> None:
    loss = Loss(torch.zeros(()), 0.0)
    assert loss.evidence() == {} and loss.rows is None and loss.left_out == ()
    assert alone("a") == ["a"]
