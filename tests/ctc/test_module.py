"""The module form: layouts, options, and what torch's modules promise."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch
from torch.nn.modules.loss import _Loss

from ctcasr.ctc import CTCLoss, InputError, ctc_loss

TARGETS = torch.tensor([[1, 2, 2, 5], [3, 1, 0, 0], [4, 0, 0, 0]])
TIMES, LENGTHS = [12, 9, 5], [4, 2, 1]


def logits() -> torch.Tensor:
    return torch.randn(3, 12, 6, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("batch_first", [False, True])
def test_is_the_function_with_its_options(batch_first):
    options = {"blank": 0, "zero_infinity": True, "prior_weight": 0.5, "normalize": False}
    prior = torch.zeros(6).log_softmax(0)
    module = CTCLoss(reduction="sum", batch_first=batch_first, prior=prior, **options)
    given = logits() if batch_first else logits().transpose(0, 1)
    want = ctc_loss(logits(), TARGETS, TIMES, LENGTHS, reduction="sum", prior=prior, **options)
    for same in (module, copy.deepcopy(module), pickle.loads(pickle.dumps(module))):
        assert torch.equal(same(given, TARGETS, TIMES, LENGTHS), want)
    assert isinstance(module, _Loss) and "zero_infinity=True" in repr(module)


def test_a_wrong_reduction_is_named_when_the_module_is_made():
    with pytest.raises(InputError, match="reduction must be"):
        CTCLoss(reduction="average")


@pytest.mark.parametrize("batch_first", [False, True])
def test_the_losses_node_gives_the_gradient_in_the_layout_of_the_logits(batch_first):
    leaf = (logits() if batch_first else logits().transpose(0, 1)).clone().requires_grad_()
    nll = CTCLoss(reduction="none", batch_first=batch_first)(leaf, TARGETS, TIMES, LENGTHS)
    grad = nll.grad_fn(torch.tensor([1.0, 2.0, 0.0]))
    assert grad.shape == leaf.shape
    (want,) = torch.autograd.grad(nll, leaf, torch.tensor([1.0, 2.0, 0.0]))
    assert torch.equal(grad, want)


def test_a_kept_graph_lends_its_gradient_to_no_leaf():
    """A leaf [B, T, C] behind a transpose took the stored gradient: zeroing one zeroed both."""
    leaf = logits().requires_grad_()
    loss = CTCLoss(reduction="sum")(leaf.transpose(0, 1), TARGETS, TIMES, LENGTHS)
    loss.backward(retain_graph=True)
    first = leaf.grad.clone()
    for times in (1, 2, 3):
        leaf.grad.zero_()
        for _ in range(times):
            loss.backward(retain_graph=True)
        torch.testing.assert_close(leaf.grad, times * first)
    leaf.grad = None
    loss.backward()
    assert torch.equal(leaf.grad, first)
    with pytest.raises(RuntimeError, match="second time"):
        loss.backward()
