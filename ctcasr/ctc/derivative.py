"""The loss as a function that torch differentiates: once, in any mode, with respect to the logits.

A kernel gives loss and gradient in one go, so the derivative is already there when it is asked for.
It can be taken in reverse and forward mode, under torch.vmap and torch.func, and differentiated
again with respect to the outer gradient (weights of rows, for example). What no kernel knows is the
second derivative with respect to the logits: asking for it raises, and never gives a silent zero.
"""

from __future__ import annotations

import inspect
from dataclasses import replace
from typing import Any

import torch
import torch.autograd.forward_ad as forward_ad
from torch import Tensor

from ctcasr.ctc._memory import fresh
from ctcasr.ctc.backends import ForwardBackward
from ctcasr.ctc.batch import CtcBatch, CtcOutput
from ctcasr.ctc.transforms import applied, has_tangent, is_transformed

NO_SECOND = (
    "ctc_loss: this backend has no second derivatives with respect to the logits; use "
    "backend='reference'"
)


def computed(logits: Tensor, ctc_batch: CtcBatch, run: ForwardBackward) -> CtcOutput:
    """Loss, gradient and health of logits [B, T, C] that a transform of torch may have wrapped."""
    if is_transformed(logits):
        nll, grad, health = _Kernel.apply(logits, ctc_batch, run)  # type: ignore[no-untyped-call]
        return CtcOutput(nll, grad, health)
    if has_tangent(logits):
        logits = forward_ad.unpack_dual(logits).primal
    return run(logits.detach(), ctc_batch, True)


def tied(logits: Tensor, output: CtcOutput, time_first: bool = False) -> Tensor:
    """The losses [B] of an output, with its gradient as their derivative by the logits.

    These are [B, T, C], or [T, B, C] if `time_first`. The losses' `grad_fn` can be called as that
    of torch's loss can: outer gradients [B] to the gradient of the logits.
    """
    assert output.grad is not None
    anchor = applied(_Anchor, logits)
    grad = output.grad.to(logits.dtype)
    nll: Tensor = applied(_Stored, logits, output.nll, grad, anchor, time_first)
    return nll


class _Kernel(torch.autograd.Function):
    """A backend inside torch.func: it sees the tensors that the transforms have wrapped."""

    @staticmethod
    def forward(
        logits: Tensor, ctc_batch: CtcBatch, run: ForwardBackward
    ) -> tuple[Tensor, Tensor, Tensor]:
        nll, grad, health = run(logits.detach(), ctc_batch, True)
        assert grad is not None
        return nll, grad, health

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
        ctx.mark_non_differentiable(*output)

    @staticmethod
    def backward(ctx: Any, *outer: Tensor) -> tuple[None, ...]:
        return None, None, None

    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> tuple[None, ...]:
        return None, None, None

    @staticmethod
    def vmap(info: Any, in_dims: tuple[Any, ...], *inputs: Any) -> Any:
        logits, ctc_batch, run = inputs
        folded = _folded(logits, in_dims[0], info.batch_size)
        repeated = _repeated(ctc_batch, info.batch_size)
        outputs = _Kernel.apply(folded, repeated, run)  # type: ignore[no-untyped-call]
        unfolded = tuple(output.unflatten(0, (info.batch_size, -1)) for output in outputs)
        return unfolded, (0, 0, 0)


class _Stored(torch.autograd.Function):
    """Ties a loss [B] to the gradient [B, T, C] that was computed with it.

    The graph may be walked as often as one likes.
    """

    @staticmethod
    def forward(
        logits: Tensor, nll: Tensor, grad: Tensor, anchor: Tensor, time_first: bool
    ) -> Tensor:
        return nll.view_as(nll)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        _, _, grad, anchor, ctx.time_first = inputs
        ctx.save_for_backward(grad, anchor)
        ctx.save_for_forward(grad, anchor)

    @staticmethod
    def backward(ctx: Any, *outer: Tensor) -> tuple[Tensor | None, ...]:
        grad, anchor = ctx.saved_tensors
        if torch.is_grad_enabled():  # create_graph: somebody may differentiate this once more
            scaled = _RowScaled.apply(grad, outer[0], anchor)  # type: ignore[no-untyped-call]
        else:
            scaled = _scaled(grad, outer[0])
        if ctx.time_first:
            scaled = scaled.transpose(0, 1)
        return scaled, None, None, None, None

    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> Tensor:
        grad, anchor = ctx.saved_tensors
        direction = tangents[0]
        if ctx.time_first:
            direction = direction.transpose(0, 1)
        slope: Tensor = _RowProduct.apply(grad, direction, anchor)  # type: ignore[no-untyped-call]
        return slope

    @staticmethod
    def vmap(info: Any, in_dims: tuple[Any, ...], *inputs: Any) -> Any:
        logits, nll, grad, anchor, time_first = inputs
        copies = info.batch_size
        nll = _Stored.apply(  # type: ignore[no-untyped-call]
            _folded(logits, in_dims[0], copies, time_first),
            _folded(nll, in_dims[1], copies),
            _folded(grad, in_dims[2], copies),
            anchor,
            False,
        )
        return nll.unflatten(0, (copies, -1)), 0


def _call(node: Any, *outer: Tensor) -> Tensor:
    gradient: Tensor = node.apply(*outer)[0]
    return gradient


# Torch's own nodes can be called; those of its Python functions cannot, unless they are told how.
_Stored._backward_cls.__call__ = _call  # type: ignore[method-assign]


class _RowScaled(torch.autograd.Function):
    """Rows of a stored gradient [B, T, C] times outer [B]; differentiable in outer alone."""

    @staticmethod
    def forward(grad: Tensor, outer: Tensor, anchor: Tensor) -> Tensor:
        return _scaled(grad, outer).view_as(grad)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        grad, outer, anchor = inputs
        ctx.outer_dtype = outer.dtype
        ctx.save_for_backward(grad, anchor)
        ctx.save_for_forward(grad, anchor)

    @staticmethod
    def backward(ctx: Any, *seconds: Tensor) -> tuple[Tensor | None, ...]:
        grad, anchor = ctx.saved_tensors
        product = _RowProduct.apply(grad, seconds[0], anchor)  # type: ignore[no-untyped-call]
        return None, product.to(ctx.outer_dtype), torch.zeros_like(anchor)

    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> Tensor:
        grad, anchor = ctx.saved_tensors
        _, outer_tangent, anchor_tangent = tangents
        if anchor_tangent is not None:
            raise RuntimeError(NO_SECOND)
        scaled: Tensor = _RowScaled.apply(  # type: ignore[no-untyped-call]
            grad, outer_tangent, anchor
        )
        return scaled

    @staticmethod
    def vmap(info: Any, in_dims: tuple[Any, ...], *inputs: Tensor) -> Any:
        grad, outer, anchor = inputs
        copies = info.batch_size
        grads = _folded(grad, in_dims[0], copies)
        outers = _folded(outer, in_dims[1], copies)
        scaled = _RowScaled.apply(grads, outers, anchor)  # type: ignore[no-untyped-call]
        return scaled.unflatten(0, (copies, -1)), 0


class _RowProduct(torch.autograd.Function):
    """Inner product [B] of the rows of a stored gradient and of a direction, both [B, T, C].

    Differentiable in the direction alone.
    """

    @staticmethod
    def forward(grad: Tensor, direction: Tensor, anchor: Tensor) -> Tensor:
        precise = torch.promote_types(grad.dtype, torch.float32)
        product = grad.to(precise) * direction.to(precise)
        return product.sum((1, 2))

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        grad, direction, anchor = inputs
        ctx.direction_dtype = direction.dtype
        ctx.save_for_backward(grad, anchor)
        ctx.save_for_forward(grad, anchor)

    @staticmethod
    def backward(ctx: Any, *outer: Tensor) -> tuple[Tensor | None, ...]:
        grad, anchor = ctx.saved_tensors
        scaled = _RowScaled.apply(grad, outer[0], anchor)  # type: ignore[no-untyped-call]
        return None, scaled.to(ctx.direction_dtype), torch.zeros_like(anchor)

    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> Tensor:
        grad, anchor = ctx.saved_tensors
        _, direction_tangent, anchor_tangent = tangents
        if anchor_tangent is not None:
            raise RuntimeError(NO_SECOND)
        product: Tensor = _RowProduct.apply(  # type: ignore[no-untyped-call]
            grad, direction_tangent, anchor
        )
        return product

    @staticmethod
    def vmap(info: Any, in_dims: tuple[Any, ...], *inputs: Tensor) -> Any:
        grad, direction, anchor = inputs
        copies = info.batch_size
        grads = _folded(grad, in_dims[0], copies)
        directions = _folded(direction, in_dims[1], copies)
        product = _RowProduct.apply(grads, directions, anchor)  # type: ignore[no-untyped-call]
        return product.unflatten(0, (copies, -1)), 0


class _Anchor(torch.autograd.Function):
    """Nothing, tied to the logits: who differentiates through it asks for a second derivative.

    Derivatives that were stored depend on the logits through it, and the logits need not be kept.
    """

    @staticmethod
    def forward(logits: Tensor) -> Tensor:
        return logits.new_zeros(0)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        ctx.set_materialize_grads(False)  # None where nobody differentiated through the anchor

    @staticmethod
    def backward(ctx: Any, *outer: Tensor | None) -> None:
        if outer[0] is not None:
            raise RuntimeError(NO_SECOND)

    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> Tensor:
        nothing: Tensor = tangents[0].new_zeros(0)
        return nothing

    @staticmethod
    def vmap(info: Any, in_dims: tuple[Any, ...], logits: Tensor) -> Any:
        return _Anchor.apply(logits), None  # type: ignore[no-untyped-call]


# Torch asks for the signature of `forward` in every call; kept here, it is worked out only once.
for _function in (_Kernel, _Stored, _RowScaled, _RowProduct, _Anchor):
    setattr(_function.forward, "__signature__", inspect.signature(_function.forward))  # noqa: B010


def _folded(tensor: Tensor, dim: int | None, copies: int, time_first: bool = False) -> Tensor:
    """The vmapped dimension of a tensor, which it may lack, put into its batch.

    The batch is the first dimension of what comes out, and the second of what came if `time_first`.
    """
    if dim is None:
        stacked = tensor.expand(copies, *tensor.shape)
    else:
        stacked = tensor.movedim(dim, 0)
    if time_first:
        stacked = stacked.transpose(1, 2)
    return stacked.flatten(0, 1)


def _repeated(ctc_batch: CtcBatch, copies: int) -> CtcBatch:
    """The same rows several times over."""
    return replace(
        ctc_batch,
        targets=ctc_batch.targets.repeat(copies),
        input_lengths=ctc_batch.input_lengths * copies,
        target_lengths=ctc_batch.target_lengths * copies,
    )


def _scaled(grad: Tensor, outer: Tensor) -> Tensor:
    """Rows of grad [B, T, C] times outer [B], in the precision of the loss.

    A gradient scaler's 65536 does not fit into float16.
    """
    factors = outer[:, None, None]
    if is_transformed(outer) or is_transformed(grad) or grad.device.type != "cpu":
        return (grad * factors).to(grad.dtype)
    if bool((outer == 1).all()) and not _graph_is_kept():
        # The stored tensor itself: nobody will read it again, so a leaf may take it as it is.
        return grad
    if grad.dtype != outer.dtype:
        return (grad * factors).to(grad.dtype)
    return torch.mul(grad, factors, out=fresh(tuple(grad.shape), grad.dtype))


def _graph_is_kept() -> bool:
    """Whether the graph may be walked once more after this; true outside of a walk."""
    return bool(torch._C._autograd._get_current_graph_task_keep_graph())
