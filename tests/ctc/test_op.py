"""The registered operator: torch's own checks, and the gradient that it stores."""

from __future__ import annotations

import pytest
import torch
import torch.autograd.forward_ad as forward_ad

from ctcasr.ctc import reference
from ctcasr.ctc.batch import prepare
from ctcasr.ctc.op import ctc_forward_backward


def inputs(
    normalize: bool = True, prior: bool = False, need_grad: bool = True, requires_grad: bool = True
) -> tuple:
    torch.manual_seed(0)
    logits = torch.randn(3, 12, 6, requires_grad=requires_grad)
    log_prior = torch.randn(6).log_softmax(0).double() if prior else None
    return (
        logits,
        torch.tensor([1, 2, 2, 5, 3]),
        torch.tensor([12, 9, 4]),
        torch.tensor([3, 2, 0]),
        0,
        log_prior,
        normalize,
        need_grad,
    )


@pytest.mark.parametrize(
    "options",
    [{}, {"normalize": False, "prior": True}, {"need_grad": False, "requires_grad": False}],
)
def test_torchs_own_checks_pass(options):
    torch.library.opcheck(ctc_forward_backward, inputs(**options))


@pytest.mark.parametrize("prior", [False, True])
def test_gradient_is_that_of_the_reference(prior):
    logits, targets, frames, labels, blank, log_prior, normalize, need_grad = inputs(prior=prior)
    nll, _, _ = ctc_forward_backward(
        logits, targets, frames, labels, blank, log_prior, normalize, need_grad
    )
    outer = torch.tensor([1.0, -2.0, 0.5])
    nll.backward(outer)
    ctc_batch = prepare(logits, targets, frames, labels, blank, log_prior)
    truth = reference.forward_backward(logits.detach().double(), ctc_batch, True)
    torch.testing.assert_close(nll.double(), truth.nll)
    torch.testing.assert_close(
        logits.grad.double(), truth.grad * outer.double()[:, None, None], atol=3e-6, rtol=0
    )


def test_forward_alone_cannot_be_differentiated():
    nll, grad, _ = ctc_forward_backward(*inputs(need_grad=False))
    assert grad.numel() == 0
    with pytest.raises(RuntimeError, match="need_grad=False"):
        nll.sum().backward()


def test_derivatives_that_it_has_not_are_refused():
    with pytest.raises(RuntimeError, match="backend='reference'"):
        arguments = inputs()
        nll, _, _ = ctc_forward_backward(*arguments)
        torch.autograd.grad(nll.sum(), arguments[0], create_graph=True)
    with forward_ad.dual_level(), pytest.raises(RuntimeError, match="forward-mode"):
        logits, *others = inputs(requires_grad=False)
        ctc_forward_backward(forward_ad.make_dual(logits, logits), *others)
