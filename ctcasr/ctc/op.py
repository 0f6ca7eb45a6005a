"""The loss as one operator of torch, for torch.compile and CUDA graphs, which see its shapes."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ctcasr.ctc.backends import select
from ctcasr.ctc.batch import precision_of, prepare
from ctcasr.ctc.transforms import has_tangent

NO_TANGENTS = (
    "ctc_loss under torch.compile has no forward-mode derivatives; call it outside of the compiled "
    "function, or use backend='reference'"
)
NO_SECOND = (
    "ctc_loss under torch.compile has no derivatives of its gradient; call it outside of the "
    "compiled function, with backend='reference' for second derivatives"
)

_ARGUMENTS_WITHOUT_GRADIENT = 7  # all but the logits


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
    """Loss [B], gradient [B, T, C] (empty unless `need_grad`), health [B] of logits [B, T, C].

    `targets` [B, S] or [sum S] and lengths [B] as for `batch.prepare`, which checks them; targets
    on the CUDA device of the logits stay there and the kernel checks them. `prior` [C] is weighted.

    Raises:
        ValueError: wrong lengths, labels or prior.
        RuntimeError: differentiated twice, in forward mode, or though called with need_grad=False.
    """
    if has_tangent(logits):
        raise RuntimeError(NO_TANGENTS)
    ctc_batch = prepare(
        logits, targets, input_lengths, target_lengths, blank, prior, 1.0, normalize, on_device=True
    )
    output = select("auto", logits.device)(logits, ctc_batch, need_grad)
    grad = logits.new_empty(0) if output.grad is None else output.grad
    return output.nll, grad, output.health


@ctc_forward_backward.register_fake
def _shapes(
    logits: Tensor,
    targets: Tensor,
    input_lengths: Tensor,
    target_lengths: Tensor,
    blank: int,
    prior: Tensor | None,
    normalize: bool,
    need_grad: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    rows = logits.shape[0]
    nll = logits.new_empty(rows, dtype=precision_of(logits))
    grad = logits.new_empty(logits.shape if need_grad else 0)
    health = logits.new_empty(rows, dtype=torch.float32)
    return nll, grad, health


def _remember(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor, Tensor]) -> None:
    _, grad, health = output
    ctx.need_grad = inputs[-1]
    ctx.mark_non_differentiable(grad, health)
    ctx.save_for_backward(grad)


def _backward(ctx: Any, outer: Tensor, *_: Tensor) -> tuple[Tensor | None, ...]:
    if not ctx.need_grad:
        raise RuntimeError(
            "ctcasr::ctc_forward_backward was called with need_grad=False and cannot be "
            "differentiated"
        )
    if torch.is_grad_enabled():  # create_graph
        raise RuntimeError(NO_SECOND)
    (grad,) = ctx.saved_tensors
    # In the precision of the loss: a gradient scaler's 65536 does not fit into float16.
    scaled = (grad * outer[:, None, None]).to(grad.dtype)
    return scaled, *[None] * _ARGUMENTS_WITHOUT_GRADIENT


ctc_forward_backward.register_autograd(_backward, setup_context=_remember)
