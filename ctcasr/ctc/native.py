"""Backend "torch": `torch.nn.functional.ctc_loss`, made exact with respect to the scores as given.

Torch's own gradient assumes that its input is a plain log_softmax and is wrong behind anything
else; in float32 its error grows with the number of frames. Here every frame is normalised for torch
and the removed constants are put back into the loss (they move no path against another), and all of
it runs in float64.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ctcasr.ctc.batch import CtcBatch, CtcOutput, checked
from ctcasr.ctc.reference import frame_padding, scores

_forward = torch.ops.aten._ctc_loss.default
_backward = torch.ops.aten._ctc_loss_backward.default


def forward_backward(logits: Tensor, ctc_batch: CtcBatch, need_grad: bool) -> CtcOutput:
    """Loss, gradient and health of each row of logits [B, T, C] on any device."""
    ctc_batch = checked(ctc_batch, logits.shape[2])
    # Torch has CTC (and some devices have float64) on CPU and CUDA only: others visit the host.
    there = logits.detach()
    if not logits.is_cuda:
        there = there.cpu()
    return _run(there, ctc_batch, need_grad).rounded_for(logits)


def _run(logits: Tensor, ctc_batch: CtcBatch, need_grad: bool) -> CtcOutput:
    """The same in float64, on a device that torch's operators know."""
    rows, frames, _ = logits.shape
    if rows == 0 or frames == 0:
        return _without_frames(logits, ctc_batch, need_grad)
    padding = frame_padding(logits, ctc_batch)
    seen = scores(logits, ctc_batch)
    level = seen.logsumexp(2).masked_fill(padding, 0.0)
    normalised = seen - level[..., None]
    by_frame = normalised.transpose(0, 1)
    # The operators below `F.ctc_loss`: autograd cannot be asked inside a transform of torch.func.
    labels = ctc_batch.targets.to(logits.device)
    spoken = (labels, ctc_batch.input_lengths, ctc_batch.target_lengths)
    loss, alpha = _forward(by_frame, *spoken, ctc_batch.blank)
    nll = loss - level.sum(1)
    if not need_grad:
        healthy = torch.zeros(rows, device=logits.device)
        return CtcOutput(nll, None, healthy)

    ones = torch.ones_like(loss)
    slope = _backward(ones, by_frame, *spoken, loss, alpha, ctc_batch.blank)
    slope = slope.transpose(0, 1)  # normalised scores less occupancy
    infeasible = loss.isinf()[:, None]
    dead = padding | infeasible
    off_by = slope.sum(2).abs().masked_fill(dead, 0.0)
    health = off_by.nan_to_num(torch.inf).amax(1)
    grad = _gradient(logits, ctc_batch, normalised, slope)
    grad = torch.where(dead[..., None], 0.0, grad).contiguous()
    return CtcOutput(nll, grad, health)


def _gradient(logits: Tensor, ctc_batch: CtcBatch, normalised: Tensor, slope: Tensor) -> Tensor:
    """d loss / d logits [B, T, C], by torch's gradient for the normalised scores."""
    if ctc_batch.normalize and ctc_batch.prior is None:
        return slope
    occupancy = normalised.exp() - slope
    if not ctc_batch.normalize:
        return -occupancy
    softmax = scores(logits, ctc_batch, prior=False).exp()
    return softmax - occupancy


def _without_frames(logits: Tensor, ctc_batch: CtcBatch, need_grad: bool) -> CtcOutput:
    """Of logits [B, 0, C] or [0, T, C], which torch refuses: only the empty target has a path."""
    says_something = torch.tensor(ctc_batch.target_lengths, device=logits.device) > 0
    zeros = torch.zeros(logits.shape[0], dtype=torch.float64, device=logits.device)
    nll = zeros.masked_fill(says_something, torch.inf)
    grad = torch.zeros_like(logits) if need_grad else None
    return CtcOutput(nll, grad, zeros)
