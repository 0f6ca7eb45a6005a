"""Whoever watches is told of each loss once, and the loss is the same to the bit."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from ctcasr.ctc import CTCLoss, ctc_loss, functional
from ctcasr.ctc.observers import LossCall, observed, observers, unobserved

LOGITS = torch.randn(2, 6, 4, generator=torch.Generator().manual_seed(0))
TARGETS = torch.tensor([[1, 2], [3, 0]])
LENGTHS = (torch.tensor([6, 5]), torch.tensor([2, 1]))

WAYS: dict[str, Callable[[Tensor], Tensor]] = {
    "ctc_loss": lambda logits: ctc_loss(logits, TARGETS, *LENGTHS),
    "with a report": lambda logits: ctc_loss(logits, TARGETS, *LENGTHS, return_report=True)[0],
    "CTCLoss": lambda logits: CTCLoss(batch_first=True)(logits, TARGETS, *LENGTHS),
    "drop-in function": lambda logits: functional.ctc_loss(
        logits.log_softmax(2).transpose(0, 1), TARGETS, *LENGTHS
    ),
    "drop-in module": lambda logits: functional.CTCLoss()(
        logits.log_softmax(2).transpose(0, 1), TARGETS, *LENGTHS
    ),
}


def loss_and_gradient(way: str) -> tuple[Tensor, Tensor]:
    logits = LOGITS.clone().requires_grad_()
    loss = WAYS[way](logits)
    loss.backward()
    assert logits.grad is not None
    return loss.detach(), logits.grad


@pytest.mark.parametrize("way", WAYS)
def test_every_way_tells_once_and_changes_no_bit(way: str) -> None:
    calls: list[LossCall] = []
    plain = loss_and_gradient(way)
    with observed(lambda loss, call: calls.append(call)):
        watched = loss_and_gradient(way)
    assert len(calls) == 1
    assert calls[0].log_probs.shape == (6, 2, 4)
    assert torch.equal(plain[0], watched[0]) and torch.equal(plain[1], watched[1])
    loss_and_gradient(way)
    assert len(calls) == 1


def test_nobody_is_told_after_an_error() -> None:
    with pytest.raises(KeyError), observed(lambda loss, call: None):
        raise KeyError
    assert observers == []


def test_a_transform_of_torch_func_tells_nobody() -> None:
    calls: list[LossCall] = []
    with observed(lambda loss, call: calls.append(call)):
        torch.func.grad(WAYS["ctc_loss"])(LOGITS)
    assert calls == []


def test_nobody_is_told_of_losses_that_only_measure() -> None:
    seen: list[Tensor] = []
    scores = torch.zeros(1, 4, 3)
    with observed(lambda loss, call: seen.append(loss)):
        with unobserved(), unobserved():
            ctc_loss(scores, torch.tensor([[1]]), [4], [1])
        ctc_loss(scores, torch.tensor([[1]]), [4], [1])
    assert len(seen) == 1
