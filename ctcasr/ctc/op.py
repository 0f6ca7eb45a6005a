"""The loss as one operator of torch, `ctcasr::ctc_forward_backward`: torch.compile and CUDA graphs see its shapes."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ctcasr.ctc.backends import select
from ctcasr.ctc.problem import prepare


@torch.library.custom_op("ctcasr::ctc_forward_backward", mutates_args=())
def ctc_forward_backward(
    logits: Tensor,
    targets: Tensor,
    input_lengths: Tensor,
    target_lengths: Tensor,
    blank: int,
    prior: Tensor | None,
    normalize: bool,
    need_grad: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    """Loss [B], its gradient [B, T, C] (empty unless `need_grad`) and health [B] of each row of logits [B, T, C].

    `targets` [B, S] or [sum S] and lengths [B] as for `problem.prepare`, which checks them; targets on the CUDA
    device of the logits stay there and the kernel checks them. `prior` [C] is weighted.
    """
    problem = prepare(
        logits, targets, input_lengths, target_lengths, blank, prior, 1.0, normalize, on_device=True
    )
    rows = select("auto", logits.device)(logits, problem, need_grad)
    grad = logits.new_empty(0) if rows.grad is None else rows.grad
    return rows.nll, grad, rows.health


@ctc_forward_backward.register_fake
def _(
    logits: Tensor,
    targets: Tensor,
    input_lengths: Tensor,
    target_lengths: Tensor,
    blank: int,
    prior: Tensor | None,
    normalize: bool,
    need_grad: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    batch = logits.shape[0]
    precision = torch.float64 if logits.dtype == torch.float64 else torch.float32
    grad = logits.new_empty(logits.shape) if need_grad else logits.new_empty(0)
    return (
        logits.new_empty(batch, dtype=precision),
        grad,
        logits.new_empty(batch, dtype=torch.float32),
    )


def _remember(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor, Tensor]) -> None:
    ctx.need_grad = inputs[-1]
    ctx.mark_non_differentiable(output[1], output[2])
    ctx.save_for_backward(output[1])


def _backward(ctx: Any, nll: Tensor, *others: Tensor) -> tuple[Tensor | None, ...]:
    if not ctx.need_grad:
        raise RuntimeError(
            "ctcasr::ctc_forward_backward was called with need_grad=False and cannot be differentiated"
        )
    (grad,) = ctx.saved_tensors
    # In the precision of the loss: a gradient scaler's 65536 does not fit into float16.
    return (grad * nll[:, None, None]).to(grad.dtype), *[None] * 7


ctc_forward_backward.register_autograd(_backward, setup_context=_remember)
