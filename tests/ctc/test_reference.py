"""The reference lattice: derivatives of every order are right, two ways to the gradient agree."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.autograd import gradcheck, gradgradcheck

from ctcasr.ctc import ctc_loss, native, reference
from ctcasr.ctc.batch import prepare

TARGETS = torch.tensor([[1, 1, 2], [2, 3, 0], [3, 0, 0], [0, 0, 0]])
TIMES, LENGTHS = [6, 4, 1, 3], [3, 2, 1, 0]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"normalize": False},
        {"prior": torch.tensor([-0.5, -1.0, -2.0, -3.0])},
        {"prior": torch.tensor([-0.5, -1.0, -2.0, -3.0]), "normalize": False},
    ],
    ids=["plain", "scores", "prior", "prior-scores"],
)
def test_first_and_second_derivatives(options):
    logits = torch.randn(
        4, 6, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0)
    ).requires_grad_()

    def loss(x):
        return ctc_loss(
            x, TARGETS, TIMES, LENGTHS, reduction="none", backend="reference", **options
        )

    assert gradcheck(loss, (logits,))
    assert gradgradcheck(loss, (logits,))


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 2**31),
    st.integers(1, 30),
    st.integers(2, 6),
    st.integers(0, 8),
    st.sampled_from([0.1, 1, 10, 100]),
)
def test_forward_backward_equals_autograd_and_torch(seed, frames, classes, labels, scale):
    rng = torch.Generator().manual_seed(seed)
    logits = (
        scale * torch.randn(3, frames, classes, generator=rng, dtype=torch.float64)
    ).requires_grad_()
    targets = torch.randint(1, classes, (3, labels), generator=rng)
    times = torch.randint(0, frames + 1, (3,), generator=rng)
    ctc_batch = prepare(logits, targets, times, torch.randint(0, labels + 1, (3,), generator=rng))
    loss = reference.nll(logits, ctc_batch)
    loss.masked_fill(loss.isinf(), 0.0).sum().backward()
    rows = reference.forward_backward(logits, ctc_batch, True)
    other = native.forward_backward(logits, ctc_batch, True)
    assert (loss.isfinite() == torch.tensor(ctc_batch.feasible)).all()
    torch.testing.assert_close(rows.nll, loss.detach(), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(other.nll, rows.nll, rtol=1e-11, atol=1e-10)
    assert logits.grad is not None and rows.grad is not None
    torch.testing.assert_close(rows.grad, logits.grad, rtol=0, atol=1e-9)
    torch.testing.assert_close(other.grad, rows.grad, rtol=0, atol=1e-9)
    assert float(rows.health.max()) <= 1e-9 and float(other.health.max()) <= 1e-9


def test_impossible_emissions_give_zero_derivatives_of_both_orders():
    logits = torch.zeros(1, 3, 3, dtype=torch.float64)
    logits[:, :, 1] = -torch.inf
    logits.requires_grad_()
    loss = ctc_loss(
        logits,
        torch.tensor([[1]]),
        [3],
        [1],
        reduction="none",
        backend="reference",
        zero_infinity=True,
    )
    (grad,) = torch.autograd.grad(loss.sum(), logits, create_graph=True)
    (second,) = torch.autograd.grad(grad.sum(), logits)
    assert loss.item() == 0 and (grad == 0).all() and (second == 0).all()


def test_state_posteriors_add_up_to_one_path():
    logits = torch.randn(4, 6, 4, dtype=torch.float64)
    gamma, health = reference.posterior(logits, prepare(logits, TARGETS, TIMES, LENGTHS))
    for row, frames in enumerate(TIMES):
        torch.testing.assert_close(
            gamma[row, :frames].sum(1), torch.ones(frames, dtype=torch.float64)
        )
        assert (gamma[row, frames:] == 0).all()
    assert float(health.max()) < 1e-12
