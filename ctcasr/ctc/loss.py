"""The CTC loss of logits as they come out of a network: exact, with priors and with a report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args, overload

import torch
from torch import Tensor

from ctcasr.ctc import reference
from ctcasr.ctc.backends import select
from ctcasr.ctc.batch import CtcBatch, Lengths, precision_of, prepare, sent
from ctcasr.ctc.derivative import computed, tied
from ctcasr.ctc.errors import InputError
from ctcasr.ctc.observers import LossCall, observers
from ctcasr.ctc.op import ctc_forward_backward
from ctcasr.ctc.report import CtcReport, from_output
from ctcasr.ctc.star import Star, loss_with_star
from ctcasr.ctc.transforms import has_tangent, is_transformed

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
    star: Star | None = ...,
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
    star: Star | None = ...,
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
    star: Star | None = None,
    return_report: bool = False,
) -> Tensor | tuple[Tensor, CtcReport]:
    """CTC loss of logits [B, T, C] (Graves et al. 2006), float32, or float64 for float64 logits.

    A scalar, or [B] with reduction "none". "mean" divides by target lengths, then by the batch. A
    row without a path (T < U + R) is inf, or 0 with `zero_infinity`; its gradient is zero either
    way. Second derivatives with respect to the logits need backend="reference".

    Args:
        targets: [B, S] padded or [sum S] concatenated.
        normalize: False takes the scores as given, without a log_softmax.
        prior: [C] log-probabilities that are taken off the scores, times `prior_weight`
            (arXiv 2406.02560).
        validate: labels on a CUDA device are checked too, which waits for the device; without it a
            row with a wrong one has NaN loss.
        star: lets a path leave the transcript, at a cost; the report is then a StarReport.
        return_report: adds a CtcReport from the same lattice.

    Raises:
        InputError: wrong lengths, labels or options; names the row. Both a ValueError and, as
            torch raises, a RuntimeError.
        RuntimeError: a report inside a CUDA graph or a transform of torch.func.

    Example:
        >>> logits = torch.zeros(1, 3, 2, requires_grad=True)
        >>> loss = ctc_loss(logits, torch.tensor([[1]]), [3], [1], reduction="sum")
        >>> round(float((-loss).exp()), 4)         # 6 of the 8 paths spell the target
        0.75
        >>> loss.backward()
        >>> [round(float(slope), 4) for slope in logits.grad[0, 0]]    # softmax less occupancy
        [0.0, 0.0]
    """
    options = LossOptions(
        blank, reduction, zero_infinity, normalize, prior, prior_weight, backend, validate, star
    )
    loss, report = loss_and_report(
        logits, targets, input_lengths, target_lengths, options, return_report=return_report
    )
    return loss if report is None else (loss, report)


@dataclass(frozen=True)
class LossOptions:
    """What `ctc_loss` and `CTCLoss` are told besides the batch.

    Raises:
        InputError: unknown reduction.
    """

    blank: int = 0
    reduction: Reduction = "mean"
    zero_infinity: bool = False
    normalize: bool = True
    prior: Tensor | None = None
    prior_weight: float = 1.0
    backend: Backend = "auto"
    validate: bool = False
    star: Star | None = None

    def __post_init__(self) -> None:
        if self.reduction not in get_args(Reduction):
            raise InputError(f"reduction must be 'mean', 'sum' or 'none', got {self.reduction!r}")


def loss_and_report(
    logits: Tensor,
    targets: Tensor,
    input_lengths: Lengths,
    target_lengths: Lengths,
    options: LossOptions,
    *,
    time_first: bool = False,
    return_report: bool = False,
) -> tuple[Tensor, CtcReport | None]:
    """The loss of logits [B, T, C], or [T, B, C] if `time_first`; the report where it is wanted.

    Raises:
        InputError: wrong lengths, labels or options; names the row.
        RuntimeError: a report inside a CUDA graph or a transform of torch.func.
    """
    rows_first = logits
    if time_first:
        rows_first = _transposed(logits)
    if options.star is not None:
        return loss_with_star(
            rows_first,
            targets,
            input_lengths,
            target_lengths,
            options,
            return_report=return_report,
        )
    plain_call = options.backend == "auto" and not (return_report or options.validate)
    if plain_call and torch.compiler.is_compiling():
        return _traced(rows_first, targets, input_lengths, target_lengths, options), None
    select(options.backend, logits.device)  # a wrong backend is named before anything else
    ctc_batch = prepare(
        rows_first,
        targets,
        input_lengths,
        target_lengths,
        options.blank,
        options.prior,
        options.prior_weight,
        options.normalize,
        on_device=options.backend in ("auto", "cuda") and not options.validate,
    )
    report = None
    if return_report:
        nll, report = _losses_and_report(logits, ctc_batch, options.backend, time_first)
    else:
        nll = _losses(logits, ctc_batch, options.backend, time_first)
    if options.zero_infinity:
        nll = nll.masked_fill(nll == torch.inf, 0.0)
    loss = reduced(nll, ctc_batch.target_lengths, options.reduction)
    if observers and not is_transformed(logits):
        scores = rows_first.transpose(0, 1)
        call = LossCall(scores, targets, input_lengths, target_lengths, options.blank)
        for observe in tuple(observers):
            observe(loss, call)
    return loss, report


def _traced(
    logits: Tensor,
    targets: Tensor,
    input_lengths: Lengths,
    target_lengths: Lengths,
    options: LossOptions,
) -> Tensor:
    """The loss as one opaque operator, whose shapes torch.compile and torch.export see.

    Nothing here reads a host value: that would break the graph, or fix the size of the batch.
    """
    frame_counts = torch.as_tensor(input_lengths)
    label_counts = torch.as_tensor(target_lengths)
    nll: Tensor
    nll, _, _ = ctc_forward_backward(
        logits,
        targets,
        frame_counts,
        label_counts,
        options.blank,
        None if options.prior is None else options.prior * options.prior_weight,
        options.normalize,
        torch.is_grad_enabled() and logits.requires_grad,
    )
    if options.zero_infinity:
        nll = nll.masked_fill(nll == torch.inf, 0.0)
    if options.reduction == "none":
        return nll
    if options.reduction == "sum":
        return nll.sum()
    rows = torch.ones_like(nll).sum().clamp_min(1)  # the loss of no rows is zero
    return (nll / label_counts.clamp_min(1).to(nll)).sum() / rows


def _transposed(logits: Tensor) -> Tensor:
    """[T, B, C] to [B, T, C] and back; what has other dimensions is left to the checks."""
    return logits.transpose(0, 1) if logits.dim() == 3 else logits


def _losses(logits: Tensor, ctc_batch: CtcBatch, backend: Backend, time_first: bool) -> Tensor:
    """Losses [B] that are tied to the logits where somebody may differentiate them."""
    rows_first = logits.transpose(0, 1) if time_first else logits
    if backend == "reference":
        return _reference_losses(rows_first, ctc_batch)
    run = select(backend, logits.device)
    if not _is_differentiated(logits):
        return run(rows_first.detach(), ctc_batch, False).nll
    return tied(logits, computed(rows_first, ctc_batch, run), time_first)


def _losses_and_report(
    logits: Tensor, ctc_batch: CtcBatch, backend: Backend, time_first: bool
) -> tuple[Tensor, CtcReport]:
    """Losses [B] that are tied to the logits, and a report from the same lattice."""
    if is_transformed(logits):
        raise RuntimeError(
            "a CtcReport cannot be made inside torch.func: take ctc_report of the logits outside"
        )
    if logits.is_cuda and torch.cuda.is_current_stream_capturing():
        raise RuntimeError(
            "a CUDA graph cannot hold a CtcReport: capture the loss with return_report=False"
        )
    rows_first = logits.transpose(0, 1) if time_first else logits
    # A report subtracts gradient from softmax: that difference must not be rounded to half
    # precision.
    halves = logits.dtype.itemsize < torch.float32.itemsize
    precise = rows_first.float() if halves else rows_first
    output = computed(precise, ctc_batch, select(backend, logits.device))
    report = from_output(precise.detach(), ctc_batch, output)
    if not _is_differentiated(logits):
        return output.nll, report
    if backend == "reference":
        return _reference_losses(rows_first, ctc_batch), report
    return tied(logits, output, time_first), report


def _reference_losses(logits: Tensor, ctc_batch: CtcBatch) -> Tensor:
    """Losses [B] that torch differentiates by itself, as often as asked."""
    return reference.nll(logits, ctc_batch).to(precision_of(logits))


def _is_differentiated(logits: Tensor) -> bool:
    """Whether somebody may ask for a derivative: reverse or forward mode, or a transform."""
    if is_transformed(logits) or has_tangent(logits):
        return True
    return torch.is_grad_enabled() and logits.requires_grad


def reduced(nll: Tensor, target_lengths: tuple[int, ...], reduction: Reduction) -> Tensor:
    """Losses [B] as asked for: each, their sum, or the mean that divides by target lengths too."""
    if reduction == "none":
        return nll
    if reduction == "sum" or not target_lengths:
        return nll.sum()
    rows = len(target_lengths)
    weights = [1 / (max(length, 1) * rows) for length in target_lengths]
    if nll.is_cuda and torch.cuda.is_current_stream_capturing():
        # As arguments of a kernel the weights need no copy, which a CUDA graph would repeat from
        # memory that is gone.
        return torch.stack(torch._foreach_mul(nll.unbind(), weights)).sum()
    return (nll * sent(torch.tensor(weights, dtype=nll.dtype), nll.device)).sum()
