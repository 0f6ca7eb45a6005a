"""More scores than 32 bits can count, and the gradient of the front door by finite differences."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from ctcasr.ctc import ctc_loss


@pytest.mark.slow
def test_more_than_two_to_the_31_scores_without_holding_them() -> None:
    pytest.importorskip("numba")
    batch, frames, classes = 2, 20_000, 60_000
    logits = torch.zeros(1, 1, classes).expand(batch, frames, classes)
    assert logits.numel() > 2**31
    with torch.no_grad():
        found = ctc_loss(
            logits,
            torch.tensor([7, 8, 8, 9]),
            (frames, frames - 1),
            (3, 1),
            reduction="none",
            backend="cpu",
        )
    for loss, (length, labels, repeats) in zip(
        found.tolist(), ((frames, 3, 1), (frames - 1, 1, 0)), strict=True
    ):
        paths = (
            math.lgamma(length + labels - repeats + 1)
            - math.lgamma(2 * labels + 1)
            - math.lgamma(length - labels - repeats + 1)
        )
        assert loss == pytest.approx(length * math.log(classes) - paths, rel=1e-6)


@pytest.mark.parametrize("backend", ["torch", "cpu"])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"normalize": False},
        {"prior": torch.tensor([-2.0, -0.3, -1.5, -2.5]), "prior_weight": 0.7},
    ],
)
def test_gradcheck(backend: Any, options: dict[str, Any]) -> None:
    if backend == "cpu":
        pytest.importorskip("numba")
    logits = torch.randn(
        3, 7, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0)
    ).requires_grad_()
    targets = torch.tensor([1, 2, 3, 3, 1])

    def losses(scores: torch.Tensor) -> torch.Tensor:
        return ctc_loss(
            scores, targets, (7, 5, 4), (3, 2, 0), reduction="none", backend=backend, **options
        )

    assert torch.autograd.gradcheck(losses, (logits,))
