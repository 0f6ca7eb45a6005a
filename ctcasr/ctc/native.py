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
    device = logits.device
    computing = device if device.type == "cuda" else torch.device("cpu")
    output = _run(logits.detach().to(computing), ctc_batch, need_grad)
    precision = torch.float64 if logits.dtype == torch.float64 else torch.float32
    nll = output.nll.to(precision)
    health = output.health.to(torch.float32)
    grad = output.grad
    if grad is not None:
        grad = grad.to(logits.dtype).to(device)
    return CtcOutput(
        nll=nll.to(device),
        grad=grad,
        health=health.to(device),
    )


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
    spoken = (
        ctc_batch.targets.to(logits.device),
        ctc_batch.input_lengths,
        ctc_batch.target_lengths,
    )
    loss, alpha = _forward(by_frame, *spoken, ctc_batch.blank)
    nll = loss - level.sum(1)
    if not need_grad:
        return CtcOutput(nll, None, torch.zeros(rows, device=logits.device))

    ones = torch.ones_like(loss)
    slope = _backward(ones, by_frame, *spoken, loss, alpha, ctc_batch.blank)
    slope = slope.transpose(0, 1)  # normalised scores less occupancy
    dead = padding | loss.isinf()[:, None]
    off_by = slope.sum(2).abs().masked_fill(dead, 0.0)
    health = off_by.nan_to_num(torch.inf).amax(1)
    grad = slope
    if ctc_batch.prior is not None or not ctc_batch.normalize:
        occupancy = normalised.exp() - slope
        grad = -occupancy
        if ctc_batch.normalize:
            softmax = scores(logits, ctc_batch, prior=False).exp()
            grad = softmax - occupancy
    grad = torch.where(dead[..., None], 0.0, grad).contiguous()
    return CtcOutput(nll, grad, health)


def _without_frames(logits: Tensor, ctc_batch: CtcBatch, need_grad: bool) -> CtcOutput:
    """Of logits [B, 0, C] or [0, T, C], which torch refuses: only the empty target has a path."""
    says_something = torch.tensor(ctc_batch.target_lengths, device=logits.device) > 0
    zeros = torch.zeros(logits.shape[0], dtype=torch.float64, device=logits.device)
    nll = zeros.masked_fill(says_something, torch.inf)
    grad = torch.zeros_like(logits) if need_grad else None
    return CtcOutput(nll, grad, zeros)
