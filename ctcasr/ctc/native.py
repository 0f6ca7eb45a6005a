"""Backend "torch": `torch.nn.functional.ctc_loss`, made exact with respect to the scores as they are given.

Torch's own gradient assumes that its input is a plain log_softmax and is wrong behind anything else; in float32 its
error grows with the number of frames. Here every frame is normalised for torch and the removed constants are put
back into the loss (they move no path against another), and all of it runs in float64.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ctcasr.ctc.problem import CtcBatch, CtcOutput, checked
from ctcasr.ctc.reference import frame_padding, scores


def forward_backward(logits: Tensor, problem: CtcBatch, need_grad: bool) -> CtcOutput:
    """Loss, gradient and health of each row of logits [B, T, C] on any device."""
    problem = checked(problem, logits.shape[2])
    # Torch has CTC (and some devices have float64) on CPU and CUDA only: everything else visits the host.
    where = logits.device if logits.device.type == "cuda" else torch.device("cpu")
    rows = _run(logits.detach().to(where), problem, need_grad)
    out = torch.float64 if logits.dtype == torch.float64 else torch.float32
    grad = None if rows.grad is None else rows.grad.to(logits.dtype).to(logits.device)
    return CtcOutput(
        rows.nll.to(out).to(logits.device), grad, rows.health.to(torch.float32).to(logits.device)
    )


def _run(logits: Tensor, problem: CtcBatch, need_grad: bool) -> CtcOutput:
    batch, frames, _ = logits.shape
    if batch == 0 or frames == 0:
        empty = torch.tensor(problem.target_lengths, device=logits.device) == 0
        nothing = torch.zeros(batch, dtype=torch.float64, device=logits.device)
        return CtcOutput(
            nothing.masked_fill(~empty, torch.inf),
            torch.zeros_like(logits) if need_grad else None,
            nothing,
        )
    padding = frame_padding(logits, problem)
    seen = scores(logits, problem)
    level = seen.logsumexp(2).masked_fill(padding, 0.0)
    plain = (seen - level[..., None]).transpose(0, 1).requires_grad_(need_grad)
    with torch.enable_grad():
        loss = F.ctc_loss(
            plain,
            problem.targets.to(logits.device),
            torch.tensor(problem.input_lengths),
            torch.tensor(problem.target_lengths),
            problem.blank,
            reduction="none",
        )
    grad = None
    health = torch.zeros(batch, device=logits.device)
    if need_grad:
        (minus,) = torch.autograd.grad(loss.sum(), plain)  # normalised scores less occupancy
        minus = minus.transpose(0, 1)
        live = ~(padding | loss.detach().isinf()[:, None])
        health = minus.sum(2).abs().masked_fill(~live, 0.0).nan_to_num(torch.inf).amax(1)
        if problem.normalize and problem.prior is None:
            grad = minus
        else:
            occupancy = plain.detach().transpose(0, 1).exp() - minus
            grad = (
                scores(logits, problem, prior=False).exp() - occupancy
                if problem.normalize
                else -occupancy
            )
        grad = torch.where(live[..., None], grad, 0.0).contiguous()
    return CtcOutput(loss.detach() - level.sum(1), grad, health)
