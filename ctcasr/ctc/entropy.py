"""The entropy of the alignment posterior, exact and differentiable by two more passes of the kernel."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ctcasr.ctc.backends import select
from ctcasr.ctc.problem import CtcBatch, Lengths, prepare

_STEP = 1e-3  # of the inverse temperature; in float64 the central difference is then right to about 1e-6 of its size


def alignment_entropy(
    logits: Tensor,
    targets: Tensor,
    input_lengths: Lengths,
    target_lengths: Lengths,
    *,
    blank: int = 0,
) -> Tensor:
    """Entropy [B] in nats of the posterior over the alignments of each row of logits [B, T, C]; 0 where there is none.

    Maximum conditional entropy CTC (Liu et al. 2018, NeurIPS) adds a multiple of it to the objective.
    """
    scores = logits.double().log_softmax(2)
    problem = prepare(scores, targets, input_lengths, target_lengths, blank, None, 1.0, False)
    return _Entropy.apply(scores, problem).to(
        logits.dtype if logits.dtype == torch.float64 else torch.float32
    )


class _Entropy(torch.autograd.Function):
    """H = F(1) - F'(1) with F(b) the log of the sum over paths of exp(b * score), so dH/dscores = -dG_b/db at b = 1, G the occupancy."""

    @staticmethod
    def forward(ctx: Any, scores: Tensor, problem: CtcBatch) -> Tensor:
        nll, occupancy = _occupancy(scores, problem)
        if ctx.needs_input_grad[0]:
            hotter, colder = (
                _occupancy(scores * (1 + step), problem)[1] for step in (-_STEP, _STEP)
            )
            ctx.save_for_backward((hotter - colder) / (2 * _STEP))
        inner = (occupancy * scores.masked_fill(occupancy == 0, 0.0)).sum((1, 2))
        return torch.where(nll.isfinite(), -nll - inner, 0.0)

    @staticmethod
    def backward(ctx: Any, *outer: Tensor) -> tuple[Tensor, None]:
        (slope,) = ctx.saved_tensors
        return slope * outer[0][:, None, None], None


def _occupancy(scores: Tensor, problem: CtcBatch) -> tuple[Tensor, Tensor]:
    rows = select("auto", scores.device)(scores.detach(), problem, True)
    assert rows.grad is not None
    return rows.nll, -rows.grad
