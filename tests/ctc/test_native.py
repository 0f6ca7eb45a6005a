"""Torch's own loss, made exact: against the written-out lattice, with every option."""

from __future__ import annotations

import pytest
import torch

from ctcasr.ctc import native, reference
from ctcasr.ctc.batch import prepare

PRIOR = torch.tensor([-0.3, -2.0, -3.0, -2.5])


@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("prior", [None, PRIOR])
def test_equals_the_reference(normalize, prior):
    logits = 3 * torch.randn(3, 9, 4, generator=torch.Generator().manual_seed(0))
    targets = torch.tensor([[1, 2, 2], [3, 0, 0], [1, 1, 1]])
    batch = prepare(
        logits, targets, [9, 5, 4], [3, 1, 3], prior=prior, prior_weight=0.4, normalize=normalize
    )
    ours = native.forward_backward(logits, batch, True)
    theirs = reference.forward_backward(logits, batch, True)
    torch.testing.assert_close(ours.nll, theirs.nll)
    torch.testing.assert_close(ours.grad, theirs.grad)
    assert ours.nll[2].isinf() and not ours.grad[2].any()  # T < U + R
    assert float(ours.health.max()) < 1e-9


def test_no_gradient_where_none_is_wanted():
    logits = torch.randn(2, 5, 4)
    batch = prepare(logits, torch.tensor([1, 2]), [5, 4], [1, 1])
    output = native.forward_backward(logits, batch, False)
    assert output.grad is None
    assert torch.equal(output.nll, native.forward_backward(logits, batch, True).nll)
