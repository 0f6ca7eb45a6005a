"""Training and dev part are told apart by whether a gradient is asked for."""

from __future__ import annotations

import torch
from torch import Tensor

from ctcasr.watching.calls import DEV_ROWS, Head, KeptRows, Moment, SeenCalls, joined
from ctcasr.watching.loss_call import SeenRows

NOW = Moment(step=1, time_s=0.5)


def rows(label: int, frames: int = 4, count: int = 1) -> SeenRows:
    scores = torch.full((count, frames, 5), float(label))
    return SeenRows(scores, (frames,) * count, (torch.tensor([label]),) * count, blank=0)


def loss() -> Tensor:
    return torch.ones(1, requires_grad=True).sum()


def first_label(kept: KeptRows | None) -> int | None:
    return None if kept is None else int(kept.rows.targets[0])


def test_what_goes_back_is_training_and_what_does_not_is_dev() -> None:
    calls = SeenCalls()
    trained, evaluated = loss(), loss()
    calls.add_pending(rows(1), trained)
    trained.backward()
    calls.add_pending(rows(2), evaluated)
    calls.settle(NOW)
    assert first_label(calls.training) == 1
    assert calls.has_dev_part
    assert first_label(calls.take_dev(NOW)) == 2
    assert calls.take_dev(NOW) is None


def test_losses_that_go_back_together_are_all_training() -> None:
    calls = SeenCalls()
    parts = [loss(), loss()]
    for label, part in enumerate(parts):
        calls.add_pending(rows(label), part)
    (parts[0] + parts[1]).backward()
    calls.settle(NOW)
    assert not calls.has_dev_part


def test_where_no_gradient_was_ever_asked_for_all_is_training() -> None:
    calls = SeenCalls()
    calls.add_pending(rows(3), loss())
    calls.settle(NOW)
    assert first_label(calls.training) == 3
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
    calls.settle(NOW)
    dev = calls.take_dev(NOW)
    assert dev is not None and len(dev.rows) <= 2 * DEV_ROWS


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
    calls.settle(NOW)
    assert not calls.some_wait
    assert first_label(calls.take_dev(NOW)) == 2


def test_rows_keep_the_moment_at_which_they_were_scored() -> None:
    calls = SeenCalls()
    trained = loss()
    calls.add_pending(rows(1), trained)
    trained.backward()
    calls.settle(Moment(20, 1.0))
    calls.add_dev(rows(2))
    calls.take_dev(Moment(21, 2.0))
    assert calls.training is not None and calls.training.scored == (20, 1.0)
    assert calls.dev is not None and calls.dev.scored == (21, 2.0)
    assert not calls.wants_training(step=22)
    assert calls.wants_training(step=40)


def test_a_loss_in_evaluation_mode_that_goes_back_is_training_and_the_mode_tells_no_more() -> None:
    calls = SeenCalls()
    trained = loss()
    calls.add_pending(rows(1), trained, in_training_mode=False)
    assert calls.mode_tells
    trained.backward()
    calls.settle(NOW)
    assert first_label(calls.training) == 1
    assert not calls.mode_tells and not calls.has_dev_part


def test_the_first_head_that_trains_is_followed_and_no_other() -> None:
    calls = SeenCalls()
    teacher, network = Head(classes=9, blank=0), Head(classes=5, blank=0)
    assert calls.is_first_head(teacher, trains=False)
    calls.add_dev(rows(1))
    assert calls.is_first_head(network, trains=True)
    assert not calls.has_dev_part and calls.take_dev(NOW) is None
    assert not calls.is_first_head(teacher, trains=True)
    assert not calls.is_first_head(Head(classes=5, blank=4), trains=True)
    assert calls.is_first_head(network, trains=False)
