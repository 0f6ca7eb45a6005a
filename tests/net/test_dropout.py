"""Dropout: the shares, the scale and the draws of torch's, in evaluation nothing at all."""

from __future__ import annotations

import pytest
import torch

from ctcasr.net.dropout import Dropout


@pytest.mark.parametrize("p", [0.1, 0.5, 0.7])
def test_drops_its_share_and_keeps_the_mean(p: float) -> None:
    torch.manual_seed(0)
    x = torch.ones(400, 999)  # a count that four does not divide
    out = Dropout(p)(x)
    zeros = out == 0
    assert float(zeros.double().mean()) == pytest.approx(p, abs=0.003)
    assert torch.equal(out[~zeros].unique(), out[~zeros][:1])
    assert float(out.double().mean()) == pytest.approx(1.0, abs=0.01)


def test_elements_that_share_a_draw_are_independent() -> None:
    torch.manual_seed(1)
    kept = (Dropout(0.5)(torch.ones(400_000)) != 0).double().view(-1, 4)
    together = kept.T @ kept / len(kept)
    assert torch.allclose(
        together, torch.full((4, 4), 0.25, dtype=torch.float64) + 0.25 * torch.eye(4), atol=0.006
    )


def test_the_gradient_goes_where_the_output_came_from() -> None:
    x = torch.randn(50, 7, dtype=torch.float64, requires_grad=True)
    out = Dropout(0.3)(x)
    (grad,) = torch.autograd.grad(out.sum(), x)
    assert torch.allclose(grad * x.detach(), out.detach())


def test_the_seed_decides_and_evaluation_changes_nothing() -> None:
    layer, x = Dropout(0.4), torch.randn(3, 5, 8)
    first, second = (layer(x) for _ in range(2) if torch.manual_seed(2) is not None)
    assert torch.equal(first, second)
    assert not torch.equal(first, layer(x))
    assert layer.eval()(x) is x or torch.equal(layer(x), x)


@pytest.mark.parametrize("p", [0.0, 1.0])
def test_ends_of_the_range(p: float) -> None:
    x = torch.randn(4, 4)
    assert torch.equal(Dropout(p)(x), x * (1 - p))


def test_bfloat16_stays_what_it_is() -> None:
    assert Dropout(0.5)(torch.ones(8, dtype=torch.bfloat16)).dtype == torch.bfloat16
