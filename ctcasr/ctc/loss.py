"""The CTC loss of logits as they come out of a network: exact, with priors and with a report."""

from __future__ import annotations

from typing import Literal, get_args, overload

import torch
from torch import Tensor

from ctcasr.ctc import reference
from ctcasr.ctc.backends import select
from ctcasr.ctc.batch import CtcBatch, Lengths, prepare
from ctcasr.ctc.derivative import computed, tied
from ctcasr.ctc.op import ctc_forward_backward
from ctcasr.ctc.report import CtcReport, from_output
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
        return_report: adds a CtcReport from the same lattice.

    Raises:
        ValueError: wrong lengths, labels or options; names the row.
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
    if reduction not in get_args(Reduction):
        raise ValueError(f"reduction must be 'mean', 'sum' or 'none', got {reduction!r}")
    if torch.compiler.is_compiling() and backend == "auto" and not (return_report or validate):
        # One opaque operator: the checks of host values would break the graph.
        frame_counts = torch.as_tensor(input_lengths)
        label_counts = torch.as_tensor(target_lengths)
        nll, _, _ = ctc_forward_backward(
            logits,
            targets,
            frame_counts,
            label_counts,
            blank,
            None if prior is None else prior * prior_weight,
            normalize,
            torch.is_grad_enabled() and logits.requires_grad,
        )
        return _reduced(nll, label_counts, reduction, zero_infinity)
    select(backend, logits.device)  # a wrong backend is named before anything else
    ctc_batch = prepare(
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
    if return_report:
        nll, report = _losses_and_report(logits, ctc_batch, backend)
    else:
        nll = _losses(logits, ctc_batch, backend)
    loss = _reduced(nll, ctc_batch.target_lengths, reduction, zero_infinity)
    return loss if report is None else (loss, report)


def _losses(logits: Tensor, ctc_batch: CtcBatch, backend: Backend) -> Tensor:
    """Losses [B] that are tied to the logits where somebody may differentiate them."""
    if backend == "reference":
        return _reference_losses(logits, ctc_batch)
    run = select(backend, logits.device)
    if not _is_differentiated(logits):
        return run(logits.detach(), ctc_batch, False).nll
    return tied(logits, computed(logits, ctc_batch, run))


def _losses_and_report(
    logits: Tensor, ctc_batch: CtcBatch, backend: Backend
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
    # A report subtracts gradient from softmax: that difference must not be rounded to half
    # precision.
    halves = logits.dtype.itemsize < torch.float32.itemsize
    precise = logits.float() if halves else logits
    output = computed(precise, ctc_batch, select(backend, logits.device))
    report = from_output(precise.detach(), ctc_batch, output)
    if not _is_differentiated(logits):
        return output.nll, report
    if backend == "reference":
        return _reference_losses(logits, ctc_batch), report
    return tied(logits, output), report


def _reference_losses(logits: Tensor, ctc_batch: CtcBatch) -> Tensor:
    """Losses [B] that torch differentiates by itself, as often as asked."""
    precision = torch.float64 if logits.dtype == torch.float64 else torch.float32
    return reference.nll(logits, ctc_batch).to(precision)


def _is_differentiated(logits: Tensor) -> bool:
    """Whether somebody may ask for a derivative: reverse or forward mode, or a transform."""
    if is_transformed(logits) or has_tangent(logits):
        return True
    return torch.is_grad_enabled() and logits.requires_grad


def _reduced(
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
    if nll.is_cuda and not is_transformed(nll):
        # As arguments of a kernel the weights need no copy that waits, and may be captured in a
        # CUDA graph.
        return torch.stack(torch._foreach_mul(nll.unbind(), weights)).sum()
    return (nll * torch.tensor(weights, dtype=nll.dtype, device=nll.device)).sum()
