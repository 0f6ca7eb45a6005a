"""The CTC loss of logits as they come out of a network: exact, with label priors, and with a report for free."""

from __future__ import annotations

from typing import Any, Literal, overload

import torch
from torch import Tensor

from ctcasr.ctc import reference
from ctcasr.ctc._memory import fresh
from ctcasr.ctc.backends import select
from ctcasr.ctc.op import ctc_forward_backward
from ctcasr.ctc.problem import Lengths, prepare
from ctcasr.ctc.report import CtcReport, from_rows

Reduction = Literal["mean", "sum", "none"]
Backend = Literal["auto", "torch", "reference", "cpu", "cuda"]


@overload
def ctc_loss(
    logits: Tensor,
    targets: Tensor,
    input_lengths: Lengths,
    target_lengths: Lengths,
    *,
    blank: int = ...,
    reduction: Reduction = ...,
    zero_infinity: bool = ...,
    normalize: bool = ...,
    prior: Tensor | None = ...,
    prior_weight: float = ...,
    backend: Backend = ...,
    validate: bool = ...,
    return_report: Literal[False] = ...,
) -> Tensor: ...


@overload
def ctc_loss(
    logits: Tensor,
    targets: Tensor,
    input_lengths: Lengths,
    target_lengths: Lengths,
    *,
    blank: int = ...,
    reduction: Reduction = ...,
    zero_infinity: bool = ...,
    normalize: bool = ...,
    prior: Tensor | None = ...,
    prior_weight: float = ...,
    backend: Backend = ...,
    validate: bool = ...,
    return_report: Literal[True],
) -> tuple[Tensor, CtcReport]: ...


def ctc_loss(
    logits: Tensor,
    targets: Tensor,
    input_lengths: Lengths,
    target_lengths: Lengths,
    *,
    blank: int = 0,
    reduction: Reduction = "mean",
    zero_infinity: bool = False,
    normalize: bool = True,
    prior: Tensor | None = None,
    prior_weight: float = 1.0,
    backend: Backend = "auto",
    validate: bool = False,
    return_report: bool = False,
) -> Tensor | tuple[Tensor, CtcReport]:
    """CTC loss of logits [B, T, C] (Graves et al. 2006), float32, or float64 for float64 logits; [B] if not reduced.

    `targets` are [B, S] padded or [sum S] concatenated. "mean" divides by target lengths, then by the batch.
    A row without a path (T < U + R) is inf, or 0 with `zero_infinity`; its gradient is zero either way.
    `normalize=False` takes the scores as given. `prior` [C] holds log-probabilities that are taken off the scores,
    times `prior_weight` (arXiv 2406.02560). Wrong lengths or labels raise ValueError and name the row; labels on a
    CUDA device are checked only with `validate` (which waits for the device), else such a row has NaN loss.
    `return_report` adds a CtcReport from the same lattice. Second derivatives need backend="reference".
    """
    if reduction not in ("mean", "sum", "none"):
        raise ValueError(f"reduction must be 'mean', 'sum' or 'none', got {reduction!r}")
    differentiable = torch.is_grad_enabled() and logits.requires_grad
    if torch.compiler.is_compiling() and backend == "auto" and not (return_report or validate):
        # One opaque operator: the checks of host values would break the graph.
        lengths = [torch.as_tensor(given) for given in (input_lengths, target_lengths)]
        log_prior = None if prior is None else prior * prior_weight
        nll = ctc_forward_backward(
            logits, targets, *lengths, blank, log_prior, normalize, differentiable
        )[0]
        return _reduce(nll, lengths[1], reduction, zero_infinity)
    if return_report and logits.is_cuda and torch.cuda.is_current_stream_capturing():
        raise RuntimeError(
            "a CUDA graph cannot hold a CtcReport: capture the loss with return_report=False"
        )
    run = select(backend, logits.device)
    problem = prepare(
        logits,
        targets,
        input_lengths,
        target_lengths,
        blank,
        prior,
        prior_weight,
        normalize,
        on_device=backend in ("auto", "cuda") and not validate,
    )
    report = None
    if backend == "reference" and not return_report:
        nll = reference.nll(logits, problem)
        nll = nll.to(torch.float64 if logits.dtype == torch.float64 else torch.float32)
    else:
        # A report subtracts gradient from softmax: that difference must not be rounded to half precision.
        precise = logits.float() if return_report and logits.dtype.itemsize < 4 else logits
        rows = run(precise.detach(), problem, differentiable or return_report)
        nll = rows.nll
        if return_report:
            report = from_rows(precise.detach(), problem, rows)
        if differentiable and backend == "reference":
            nll = reference.nll(logits, problem).to(rows.nll.dtype)
        elif differentiable:
            assert rows.grad is not None
            # The empty anchor ties the first derivative to the logits without keeping them alive (see _NoSecond).
            nll = _Stored.apply(logits, rows.nll, rows.grad.to(logits.dtype), logits[:0].clone())
    loss = _reduce(nll, problem.target_lengths, reduction, zero_infinity)
    return loss if report is None else (loss, report)


def _reduce(
    nll: Tensor, target_lengths: tuple[int, ...] | Tensor, reduction: Reduction, zero_infinity: bool
) -> Tensor:
    if zero_infinity:
        nll = nll.masked_fill(nll == torch.inf, 0.0)
    if reduction == "none":
        return nll
    if reduction == "sum" or len(nll) == 0:
        return nll.sum()
    if isinstance(target_lengths, Tensor):
        return (nll / target_lengths.clamp_min(1).to(nll)).sum() / len(nll)
    weights = [1 / (max(length, 1) * len(nll)) for length in target_lengths]
    if nll.is_cuda:
        # As arguments of a kernel the weights need no copy that waits, and may be captured in a CUDA graph.
        return torch.stack(torch._foreach_mul(nll.unbind(), weights)).sum()
    return (nll * torch.tensor(weights, dtype=nll.dtype, device=nll.device)).sum()


class _Stored(torch.autograd.Function):
    """Ties a loss to the gradient that was computed with it; the graph may be walked as often as one likes."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, nll: Tensor, grad: Tensor, anchor: Tensor) -> Tensor:
        ctx.save_for_backward(grad, anchor)
        return nll.view_as(nll)

    @staticmethod
    def backward(ctx: Any, *outer: Tensor) -> tuple[Tensor, None, None, None]:
        grad, anchor = ctx.saved_tensors
        with torch.no_grad():
            scaled = _scaled(grad, outer[0])
        if (
            torch.is_grad_enabled()
        ):  # create_graph: whoever differentiates this again must not get a silent zero
            scaled = _NoSecond.apply(scaled, anchor)
        return scaled, None, None, None


def _scaled(grad: Tensor, outer: Tensor) -> Tensor:
    """Rows of grad [B, T, C] times outer [B], in the precision of the loss: a gradient scaler's 65536 does not fit into float16."""
    if grad.device.type != "cpu":
        return (grad * outer[:, None, None]).to(grad.dtype)
    if bool((outer == 1).all()):
        # The stored tensor itself: autograd copies it before it changes it, unless the graph is let go and nobody else holds it.
        return grad
    if grad.dtype != outer.dtype:
        return (grad * outer[:, None, None]).to(grad.dtype)
    return torch.mul(grad, outer[:, None, None], out=fresh(tuple(grad.shape), grad.dtype))


class _NoSecond(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, grad: Tensor, anchor: Tensor) -> Tensor:
        return grad.view_as(grad)

    @staticmethod
    def backward(ctx: Any, *outer: Tensor) -> Tensor:
        raise RuntimeError(
            "ctc_loss: this backend has no second derivatives; use backend='reference'"
        )
