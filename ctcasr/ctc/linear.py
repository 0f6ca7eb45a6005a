"""The CTC loss of a linear layer's outputs, which are never all held at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, overload

import torch
import torch.nn.functional as F
from torch import Tensor

from ctcasr.ctc.backends import select
from ctcasr.ctc.batch import CtcBatch, Lengths, prepare
from ctcasr.ctc.errors import InputError
from ctcasr.ctc.loss import Backend, LossOptions, Reduction, loss_and_report
from ctcasr.ctc.observers import LossCall, observers
from ctcasr.ctc.projection import Projection, Walk, Walked, Wanted
from ctcasr.ctc.report import CtcReport
from ctcasr.ctc.transforms import has_tangent, is_transformed

NO_SECOND = (
    "ctc_loss_linear has no derivatives of its gradients: for these call "
    "ctc_loss(hidden @ weight.T + bias, ..., backend='reference')"
)

_SAME_SCALE = 1e-6  # by which the factors of two rows may differ, relative: float32's rounding


@overload
def ctc_loss_linear(
    hidden: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    targets: Tensor,
    input_lengths: Lengths,
    target_lengths: Lengths,
    *,
    blank: int = ...,
    reduction: Reduction = ...,
    zero_infinity: bool = ...,
    prior: Tensor | None = ...,
    prior_weight: float = ...,
    backend: Backend = ...,
    return_report: Literal[False] = ...,
) -> Tensor: ...


@overload
def ctc_loss_linear(
    hidden: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    targets: Tensor,
    input_lengths: Lengths,
    target_lengths: Lengths,
    *,
    blank: int = ...,
    reduction: Reduction = ...,
    zero_infinity: bool = ...,
    prior: Tensor | None = ...,
    prior_weight: float = ...,
    backend: Backend = ...,
    return_report: Literal[True],
) -> tuple[Tensor, CtcReport]: ...


def ctc_loss_linear(
    hidden: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    targets: Tensor,
    input_lengths: Lengths,
    target_lengths: Lengths,
    *,
    blank: int = 0,
    reduction: Reduction = "mean",
    zero_infinity: bool = False,
    prior: Tensor | None = None,
    prior_weight: float = 1.0,
    backend: Backend = "auto",
    return_report: bool = False,
) -> Tensor | tuple[Tensor, CtcReport]:
    """`ctc_loss(hidden @ weight.T + bias, ...)`, exact, without logits [B, T, C] in memory.

    For large alphabets: the logits of a few frames at a time become their log-sum-exp and the
    columns of the labels of each row, from which the lattice is computed; gradients are made in
    the same walk, so that no logit is computed twice. Where the rows' losses are weighted by the
    caller, and not all alike, backward walks once more. Targets are read on the host: those on a
    CUDA device make this wait for it. Under autocast products have its type.

    Args:
        hidden: [B, T, D] frames.
        weight: [C, D], and `bias` [C] or None: as of torch.nn.Linear.
        targets: [B, S] padded or [sum S] concatenated; this and all else as for `ctc_loss`.

    Raises:
        InputError: as `ctc_loss`, and where hidden, weight and bias do not fit together.
        RuntimeError: second or forward-mode derivatives, or a transform of torch.func.

    Example:
        >>> hidden = torch.zeros(1, 3, 4, requires_grad=True)
        >>> layer = torch.nn.Linear(4, 500)
        >>> loss = ctc_loss_linear(hidden, layer.weight, layer.bias, torch.tensor([[7]]), [3], [1])
        >>> loss.backward()
        >>> layer.weight.grad.shape
        torch.Size([500, 4])
    """
    options = LossOptions(
        blank, reduction, zero_infinity, prior=prior, prior_weight=prior_weight, backend=backend
    )
    _check_shapes(hidden, weight, bias)
    if bias is None:
        bias = weight.new_zeros(weight.shape[0])
    if torch.compiler.is_compiling() or hidden.shape[0] == 0:
        logits = F.linear(hidden, weight, bias)
        return _with_logits(logits, targets, input_lengths, target_lengths, options, return_report)
    for tensor in (hidden, weight, bias):
        if is_transformed(tensor) or has_tangent(tensor):
            raise RuntimeError(
                "ctc_loss_linear knows reverse mode only: for torch.func and forward mode call "
                "ctc_loss(hidden @ weight.T + bias, ...)"
            )
    call = _Call(
        _checked_batch(hidden, weight, targets, input_lengths, target_lengths, options),
        options,
        return_report,
    )
    nll: Tensor = _Linear.apply(hidden, weight, bias, call)  # type: ignore[no-untyped-call]
    if zero_infinity:
        nll = nll.masked_fill(nll == torch.inf, 0.0)
    loss = call.reduced(nll)
    if observers:
        logits = F.linear(hidden.detach(), weight.detach(), bias.detach()).transpose(0, 1)
        seen = LossCall(logits, targets, input_lengths, target_lengths, blank)
        for observe in tuple(observers):
            observe(loss, seen)
    if call.report is None:
        return loss
    return loss, call.report


@torch.no_grad()
def posterior_sums(
    hidden: Tensor, weight: Tensor, bias: Tensor, input_lengths: tuple[int, ...]
) -> Tensor:
    """Softmax of hidden @ weight.T + bias, summed over all frames of hidden [B, T, D]: [C].

    Example:
        >>> posterior_sums(torch.zeros(1, 3, 2), torch.zeros(4, 2), torch.zeros(4), (3,))
        tensor([0.7500, 0.7500, 0.7500, 0.7500])
    """
    projection = _projection(hidden, weight, bias)
    sums = torch.zeros(weight.shape[0], dtype=projection.precision, device=weight.device)
    for row, length in enumerate(input_lengths):
        for frames in projection.hidden[row, :length].split(projection.frames_of_a_chunk):
            sums += projection.logits(frames).softmax(1).sum(0)
    return sums


def _check_shapes(hidden: Tensor, weight: Tensor, bias: Tensor | None) -> None:
    if hidden.dim() != 3 or not hidden.is_floating_point():
        raise InputError(
            f"hidden must be a floating point tensor [B, T, D], "
            f"got {hidden.dtype} {list(hidden.shape)}"
        )
    if weight.dim() != 2 or weight.shape[1] != hidden.shape[2]:
        raise InputError(
            f"weight must be [C, {hidden.shape[2]}] for hidden {list(hidden.shape)}, "
            f"got {list(weight.shape)}"
        )
    if bias is not None and tuple(bias.shape) != (weight.shape[0],):
        raise InputError(f"bias must be [{weight.shape[0]}], got {list(bias.shape)}")
    for name, tensor in (("weight", weight), ("bias", bias)):
        if tensor is None:
            continue
        if tensor.device != hidden.device or not tensor.is_floating_point():
            raise InputError(
                f"{name} must be a floating point tensor on {hidden.device}, as hidden is; "
                f"got {tensor.dtype} on {tensor.device}"
            )


def _checked_batch(
    hidden: Tensor,
    weight: Tensor,
    targets: Tensor,
    input_lengths: Lengths,
    target_lengths: Lengths,
    options: LossOptions,
) -> CtcBatch:
    """The batch as for logits [B, T, C], of which there are none: a view stands for them."""
    rows, frames, _ = hidden.shape
    shaped_like_logits = hidden.new_zeros(1).expand(rows, frames, weight.shape[0])
    return prepare(
        shaped_like_logits,
        targets,
        input_lengths,
        target_lengths,
        options.blank,
        options.prior,
        options.prior_weight,
    )


def _with_logits(
    logits: Tensor,
    targets: Tensor,
    input_lengths: Lengths,
    target_lengths: Lengths,
    options: LossOptions,
    return_report: bool,
) -> Tensor | tuple[Tensor, CtcReport]:
    """The same by way of the logits, for torch.compile and for batches without rows."""
    loss, report = loss_and_report(
        logits, targets, input_lengths, target_lengths, options, return_report=return_report
    )
    return loss if report is None else (loss, report)


@dataclass
class _Call:
    """One call: its checked batch and options; its report, once it has been walked."""

    ctc_batch: CtcBatch
    options: LossOptions
    return_report: bool
    report: CtcReport | None = None

    def row_weights(self) -> Tensor:
        """What each row's loss counts, float64 [B], unless the caller weighs rows himself."""
        rows = len(self.ctc_batch.target_lengths)
        weights = torch.tensor(self.ctc_batch.feasible, dtype=torch.float64)
        if self.options.reduction == "mean":
            lengths = torch.tensor(self.ctc_batch.target_lengths).clamp_min(1)
            weights = weights / (lengths * rows)
        return weights

    def reduced(self, nll: Tensor) -> Tensor:
        """Losses [B] as the reduction has them."""
        if self.options.reduction == "none":
            return nll
        if self.options.reduction == "sum":
            return nll.sum()
        lengths = torch.tensor(self.ctc_batch.target_lengths).clamp_min(1).double()
        weights = 1 / (lengths * len(lengths))
        return (nll * weights.to(nll)).sum()

    def walk(
        self,
        hidden: Tensor,
        weight: Tensor,
        bias: Tensor,
        row_weights: Tensor,
        wanted: Wanted,
    ) -> Walked:
        """Losses, and gradients of their weighted sum."""
        projection = _projection(hidden, weight, bias)
        run = select(self.options.backend, hidden.device)
        with torch.no_grad(), torch.autocast(hidden.device.type, enabled=False):
            return Walk(projection, self.ctc_batch, row_weights, run, wanted)()


def _projection(hidden: Tensor, weight: Tensor, bias: Tensor) -> Projection:
    """The operands in the one type in which torch would multiply them."""
    kind = hidden.device.type
    dtype = hidden.dtype
    if torch.is_autocast_enabled(kind) and dtype != torch.float64:
        dtype = torch.get_autocast_dtype(kind)
    return Projection(hidden.detach().to(dtype), weight.detach().to(dtype), bias.detach().to(dtype))


class _Linear(torch.autograd.Function):
    """Losses [B] whose gradients were made with them, as if rows were weighted by the reduction."""

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, weight: Tensor, bias: Tensor, call: _Call) -> Tensor:
        grads = ctx.needs_input_grad
        wanted = Wanted(grads[0], grads[1], grads[2], call.return_report)
        walked = call.walk(hidden, weight, bias, call.row_weights(), wanted)
        call.report = walked.report
        ctx.call = call
        ctx.wanted = Wanted(*grads[:3])
        ctx.stored = walked
        ctx.autocast = torch.is_autocast_enabled(hidden.device.type)
        ctx.save_for_backward(hidden, weight, bias)
        return walked.nll

    @staticmethod
    def backward(ctx: Any, outer: Tensor) -> tuple[Tensor | None, ...]:
        if torch.is_grad_enabled():  # create_graph
            raise RuntimeError(NO_SECOND)
        if is_transformed(outer):
            raise RuntimeError(
                "ctc_loss_linear has no gradients of several outer ones at once (vectorize=True, "
                "is_grads_batched=True): take them one by one, or call ctc_loss(hidden @ weight.T "
                "+ bias, ...)"
            )
        hidden, weight, bias = ctx.saved_tensors
        call: _Call = ctx.call
        stored: Walked = ctx.stored
        live = ~stored.nll.isinf().cpu()
        factor = common_factor(outer.double().cpu(), call.row_weights(), live)
        if factor is None:
            row_weights = outer.double().cpu().masked_fill(~live, 0.0)
            with torch.autocast(hidden.device.type, enabled=ctx.autocast):
                stored = call.walk(hidden, weight, bias, row_weights, ctx.wanted)
            factor = 1.0
            kept = False
        else:
            kept = bool(torch._C._autograd._get_current_graph_task_keep_graph())
        gradients = (
            _scaled(stored.hidden, factor, hidden.dtype, kept),
            _scaled(stored.weight, factor, weight.dtype, kept),
            _scaled(stored.bias, factor, bias.dtype, kept),
            None,
        )
        if not kept:  # whoever takes them shall find nobody else at them, and make no copies
            stored.hidden = stored.weight = stored.bias = None
        return gradients


def common_factor(outer: Tensor, row_weights: Tensor, live: Tensor) -> float | None:
    """The factor by which gradients that presumed `row_weights` [B] become those of `outer` [B].

    None where there is none: rows are weighted in another way, or one that was presumed to have a
    path has none (`live` is False).

    Example:
        >>> weights = torch.tensor([0.5, 0.25, 0.0])
        >>> live = torch.tensor([True, True, False])
        >>> common_factor(torch.tensor([1.0, 0.5, 3.0]), weights, live)
        2.0
        >>> common_factor(torch.tensor([1.0, 0.7, 3.0]), weights, live) is None
        True
    """
    counted = row_weights != 0
    if not bool(live[counted].all()):
        return None
    factors = outer[counted] / row_weights[counted]
    if not factors.numel():
        return 0.0
    first = float(factors[0])
    alike = (factors - first).abs() <= _SAME_SCALE * abs(first)
    return first if bool(alike.all()) else None


def _scaled(
    gradient: Tensor | None, factor: float, dtype: torch.dtype, kept: bool
) -> Tensor | None:
    """A gradient times a factor; in its own memory unless it is `kept` for another walk."""
    if gradient is None:
        return None
    if kept:
        return (gradient * factor).to(dtype)
    return (gradient if factor == 1 else gradient.mul_(factor)).to(dtype)
