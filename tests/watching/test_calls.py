"""Training and dev part are told apart by whether a gradient is asked for."""

from __future__ import annotations

import torch
from torch import Tensor

from ctcasr.watching.calls import DEV_ROWS, SeenCalls, joined
from ctcasr.watching.loss_call import SeenRows


def rows(label: int, frames: int = 4, count: int = 1) -> SeenRows:
    scores = torch.full((count, frames, 5), float(label))
    return SeenRows(scores, (frames,) * count, (torch.tensor([label]),) * count, blank=0)


def loss() -> Tensor:
    return torch.ones(1, requires_grad=True).sum()


def first_label(seen: SeenRows | None) -> int | None:
    return None if seen is None else int(seen.targets[0])


def test_what_goes_back_is_training_and_what_does_not_is_dev() -> None:
    calls = SeenCalls()
    trained, evaluated = loss(), loss()
    calls.add_pending(rows(1), trained)
    trained.backward()
    calls.add_pending(rows(2), evaluated)
    calls.settle()
    assert first_label(calls.training_rows) == 1
    assert calls.has_dev_part
    assert first_label(calls.take_dev()) == 2
    assert calls.take_dev() is None


def test_losses_that_go_back_together_are_all_training() -> None:
    calls = SeenCalls()
    parts = [loss(), loss()]
    for label, part in enumerate(parts):
        calls.add_pending(rows(label), part)
    (parts[0] + parts[1]).backward()
    calls.settle()
    assert not calls.has_dev_part


def test_where_no_gradient_was_ever_asked_for_all_is_training() -> None:
    calls = SeenCalls()
    calls.add_pending(rows(3), loss())
    calls.settle()
    assert first_label(calls.training_rows) == 3
    assert not calls.has_dev_part


def test_a_gradient_is_not_changed_and_no_graph_is_kept() -> None:
    weight = torch.ones(2, requires_grad=True)
    calls = SeenCalls()
    value = (2 * weight).sum()
    calls.add_pending(rows(1), value)
    value.backward()
    assert weight.grad is not None and weight.grad.tolist() == [2.0, 2.0]


def test_a_long_evaluation_keeps_few_rows() -> None:
    calls = SeenCalls()
    for _ in range(50):
        calls.add_pending(rows(1, count=16), loss())
        calls.add_dev(rows(2, count=16))
    calls.settle()
    dev = calls.take_dev()
    assert dev is not None and len(dev) <= 2 * DEV_ROWS


def test_calls_of_different_lengths_become_one() -> None:
    both = joined([rows(1, frames=2), rows(2, frames=4)])
    assert both.scores.shape == (2, 4, 5)
    assert both.input_lengths == (2, 4)
    assert [int(target) for target in both.targets] == [1, 2]


def test_a_loss_without_rows_still_tells_that_an_evaluation_may_have_begun() -> None:
    calls = SeenCalls()
    trained = loss()
    calls.add_pending(rows(1), trained)
    trained.backward()
    assert not calls.some_wait
    calls.add_pending(None, loss())
    assert calls.some_wait
    calls.add_pending(rows(2), loss())
    calls.settle()
    assert not calls.some_wait
    assert first_label(calls.take_dev()) == 2
