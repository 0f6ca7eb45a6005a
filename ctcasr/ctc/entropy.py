"""The entropy of the alignment posterior, exact and differentiable by two more kernel passes."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ctcasr.ctc.backends import select
from ctcasr.ctc.batch import CtcBatch, Lengths, precision_of, prepare

# Of the inverse temperature: in float64 the central difference is then right to 1e-6 of its size.
_STEP = 1e-3


def alignment_entropy(
    logits: Tensor,
    targets: Tensor,
    input_lengths: Lengths,
    target_lengths: Lengths,
    *,
    blank: int = 0,
) -> Tensor:
    """Entropy [B] in nats of the posterior over the alignments of each row of logits [B, T, C].

    0 where there is none. Maximum conditional entropy CTC (Liu et al. 2018, NeurIPS) adds a
    multiple of it to the objective.

    Raises:
        ValueError: as `ctc_loss`.

    Example:
        >>> entropy = alignment_entropy(torch.zeros(1, 3, 2), torch.tensor([[1]]), [3], [1])
        >>> round(float(entropy.exp()), 4)  # six alignments, equally likely
        6.0
    """
    scores = logits.double().log_softmax(2)
    ctc_batch = prepare(
        scores, targets, input_lengths, target_lengths, blank, prior=None, normalize=False
    )
    entropy: Tensor = _Entropy.apply(scores, ctc_batch)  # type: ignore[no-untyped-call]
    return entropy.to(precision_of(logits))


class _Entropy(torch.autograd.Function):
    """H = F(1) - F'(1) with F(b) the log of the sum over paths of exp(b * score).

    So dH/dscores = -dG_b/db at b = 1, with G_b the occupancy at inverse temperature b.
    """

    @staticmethod
    def forward(ctx: Any, scores: Tensor, ctc_batch: CtcBatch) -> Tensor:
        nll, occupancy = _occupancy(scores, ctc_batch)
        if ctx.needs_input_grad[0]:
            _, hotter = _occupancy(scores * (1 - _STEP), ctc_batch)
            _, colder = _occupancy(scores * (1 + _STEP), ctc_batch)
            ctx.save_for_backward((hotter - colder) / (2 * _STEP))
        finite_scores = scores.masked_fill(occupancy == 0, 0.0)  # 0 * -inf is 0 here
        expected_score = (occupancy * finite_scores).sum((1, 2))
        return torch.where(nll.isfinite(), -nll - expected_score, 0.0)

    @staticmethod
    def backward(ctx: Any, *outer: Tensor) -> tuple[Tensor, None]:
        (slope,) = ctx.saved_tensors
        return slope * outer[0][:, None, None], None


def _occupancy(scores: Tensor, ctc_batch: CtcBatch) -> tuple[Tensor, Tensor]:
    """Loss [B] and occupancies [B, T, C] of scores that are taken as given."""
    output = select("auto", scores.device)(scores.detach(), ctc_batch, True)
    assert output.grad is not None
    return output.nll, -output.grad
