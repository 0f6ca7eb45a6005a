"""One checked CTC batch: the contract between the front door (`loss.py`) and the backends."""

from __future__ import annotations

import operator
import reprlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import accumulate, pairwise
from typing import NamedTuple

import torch
from torch import Tensor

from ctcasr.ctc.errors import InputError
from ctcasr.ctc.transforms import plain

Lengths = Sequence[int] | Tensor


@dataclass(frozen=True)
class CtcBatch:
    """One batch: host lengths and concatenated targets, checked so that no kernel looks again.

    `targets` are int64 [sum of target_lengths], contiguous, row after row. `checked` is False only
    for device targets that were left where they are (`prepare(..., on_device=True)`): nobody has
    looked at their labels, so the kernel must clamp, and what reads labels brings them to the host.
    """

    targets: Tensor  # on the host if `checked`
    input_lengths: tuple[int, ...]
    target_lengths: tuple[int, ...]
    blank: int
    prior: Tensor | None = None  # float64 [C], times prior_weight; where the labels are left
    normalize: bool = True  # False: scores are taken as given, without log_softmax
    checked: bool = True

    @cached_property
    def offsets(self) -> tuple[int, ...]:
        """Start of each row in `targets`, and their end: B + 1 integers."""
        return tuple(accumulate(self.target_lengths, initial=0))

    @cached_property
    def host_targets(self) -> Tensor:
        """The targets on the host (waits for the device if they are not there yet)."""
        return self.targets.cpu()

    @cached_property
    def repeats(self) -> tuple[int, ...]:
        """Adjacent equal labels R of each row: each needs a blank of its own in between."""
        labels = self.host_targets
        # equal_before[j]: equal pairs whose second label lies before position j
        equal_before = torch.zeros(labels.numel() + 1, dtype=torch.int64)
        if labels.numel() > 1:
            equal_before[2:] = (labels[1:] == labels[:-1]).cumsum(0)
        counts = equal_before.tolist()
        repeats = []
        for start, end in pairwise(self.offsets):
            repeats.append(counts[end] - counts[start + 1] if end > start else 0)
        return tuple(repeats)

    @cached_property
    def slack(self) -> tuple[int, ...]:
        """Frames beyond the shortest path, T - U - R, of each row; negative: no path exists."""
        rows = zip(self.input_lengths, self.target_lengths, self.repeats, strict=True)
        return tuple(frames - labels - repeats for frames, labels, repeats in rows)

    @cached_property
    def feasible(self) -> tuple[bool, ...]:
        """Whether a path exists in each row: T >= U + R."""
        return tuple(spare >= 0 for spare in self.slack)

    def row(self, index: int) -> Tensor:
        """Targets of one row [U]."""
        return self.targets[self.offsets[index] : self.offsets[index + 1]]

    def rows(self, start: int, end: int) -> CtcBatch:
        """The batch of rows start..end alone."""
        return replace(
            self,
            targets=self.targets[self.offsets[start] : self.offsets[end]],
            input_lengths=self.input_lengths[start:end],
            target_lengths=self.target_lengths[start:end],
        )

    def padded(self) -> Tensor:
        """Host targets [B, max U], filled up with the blank."""
        rows = len(self.target_lengths)
        width = max(self.target_lengths, default=0)
        padded = torch.full((rows, width), self.blank, dtype=torch.int64)
        if self.targets.numel():
            inside = torch.arange(width) < torch.tensor(self.target_lengths)[:, None]
            padded[inside] = self.host_targets
        return padded


class CtcOutput(NamedTuple):
    """What every backend returns for a batch.

    `nll` is inf where no path has a probability; `grad` is d nll_b / d logits, zero on padding and
    on infeasible rows; `health` is the relative spread over time of sum_s alpha_t(s) beta_t(s).
    """

    nll: Tensor  # [B] float32 (float64 for float64 logits), on the device of the logits
    grad: Tensor | None  # [B, T, C] in the dtype of the logits
    health: Tensor  # [B] float32; 0 is perfect

    def rounded_for(self, logits: Tensor) -> CtcOutput:
        """What was computed in higher precision or on another device, as these logits want it."""
        nll = self.nll.to(precision_of(logits))
        health = self.health.to(torch.float32)
        grad = self.grad
        if grad is not None:
            # Rounded before it travels: some devices have no float64.
            grad = grad.to(logits.dtype).to(logits.device)
        return CtcOutput(nll.to(logits.device), grad, health.to(logits.device))


def precision_of(logits: Tensor) -> torch.dtype:
    """Of the loss of these logits: float64 for float64, else float32."""
    return torch.float64 if logits.dtype == torch.float64 else torch.float32


def to_device(values: tuple[int, ...], device: torch.device) -> Tensor:
    """Host integers as an int64 tensor on a device, without waiting for it."""
    return sent(torch.tensor(values, dtype=torch.int64), device)


def sent(on_host: Tensor, device: torch.device) -> Tensor:
    """A host tensor on a device, without waiting for it."""
    if device.type == "cuda":
        return on_host.pin_memory().to(device, non_blocking=True)
    return on_host.to(device)


def prepare(
    logits: Tensor,
    targets: Tensor,
    input_lengths: Lengths,
    target_lengths: Lengths,
    blank: int = 0,
    prior: Tensor | None = None,
    prior_weight: float = 1.0,
    normalize: bool = True,
    *,
    on_device: bool = False,
) -> CtcBatch:
    """Check one batch for logits [B, T, C] and targets [B, S] or [sum S].

    Lengths are host integers; a device tensor of lengths makes this wait for the device.
    `on_device=True` leaves CUDA targets beside CUDA logits unread where they are
    (`checked=False`), so that nothing waits.

    Raises:
        InputError: names the row that is wrong, or the argument.
    """
    if not isinstance(targets, Tensor):
        raise InputError(f"targets must be a tensor of integers, got {type(targets).__name__}")
    targets = plain(targets, "targets")
    if logits.dim() != 3 or not logits.is_floating_point():
        raise InputError(
            f"logits must be a floating point tensor [B, T, C], "
            f"got {logits.dtype} {list(logits.shape)}"
        )
    rows, frames, classes = logits.shape
    check_blank(blank, classes)
    frame_counts = check_lengths(
        input_lengths, "input_lengths", rows, frames, "frames of the logits"
    )
    label_counts = _target_lengths(targets, target_lengths, rows)
    if targets.is_floating_point() or targets.is_complex() or targets.dtype == torch.bool:
        raise InputError(f"targets must be integers, got {targets.dtype}")
    left_there = on_device and targets.is_cuda and targets.device == logits.device
    if not left_there:
        targets = targets.cpu()
    labels = _concatenate(targets.detach(), label_counts)
    if not left_there:
        _check_labels(labels, label_counts, blank, classes)
    return CtcBatch(
        labels,
        frame_counts,
        label_counts,
        blank,
        weighted_prior(prior, prior_weight, classes, logits.device if on_device else None),
        normalize,
        checked=not left_there,
    )


def checked(ctc_batch: CtcBatch, classes: int) -> CtcBatch:
    """The batch with its labels on the host and checked (waits for the device if they were not).

    Raises:
        InputError: names the row with a wrong label.
    """
    if ctc_batch.checked:
        return ctc_batch
    labels = ctc_batch.host_targets
    _check_labels(labels, ctc_batch.target_lengths, ctc_batch.blank, classes)
    return replace(ctc_batch, targets=labels, checked=True)


def check_blank(blank: int, classes: int) -> None:
    """InputError where the blank is none of the classes."""
    if 0 <= blank < classes:
        return
    advice = f"; the last class is blank={classes - 1}" if blank < 0 else ""
    raise InputError(
        f"blank must lie in 0..{classes - 1} (logits have {classes} classes), got {blank}{advice}"
    )


def check_lengths(lengths: Lengths, name: str, rows: int, most: int, what: str) -> tuple[int, ...]:
    """Lengths of `rows` rows as host integers; InputError names the row whose length is wrong."""
    counts = _as_integers(lengths, name, rows)
    if len(counts) != rows:
        raise InputError(
            f"{name} must hold one length for each of the {rows} rows, got {len(counts)}"
        )
    if not counts or (min(counts) >= 0 and max(counts) <= most):
        return counts
    for row, count in enumerate(counts):
        if not 0 <= count <= most:
            raise InputError(f"{name}: row {row} has length {count}, expected 0..{most} ({what})")
    return counts


def _as_integers(lengths: Lengths, name: str, rows: int) -> tuple[int, ...]:
    """Lengths as host integers, however many; InputError for what is no list of integers."""
    if isinstance(lengths, Tensor):
        lengths = plain(lengths, name)
        integral = not (lengths.is_floating_point() or lengths.is_complex())
        if not integral or lengths.dtype == torch.bool or lengths.dim() > 1:
            raise InputError(
                f"{name} must be {rows} integers, got {lengths.dtype} {list(lengths.shape)}"
            )
        return tuple(lengths.reshape(-1).tolist())
    try:
        given = tuple(lengths)
        # Numpy's integers are taken too, but nothing that may have a fraction.
        counts = tuple(map(operator.index, given))
    except TypeError:
        what_came = reprlib.repr(lengths)
        raise InputError(
            f"{name} must be {rows} integers, one for each row, got {what_came}"
            f"{_advice_about(lengths, rows)}"
        ) from None
    if any(isinstance(length, bool) for length in given):
        raise InputError(f"{name} must be {rows} integers, got {reprlib.repr(lengths)}: a mask?")
    return counts


def _advice_about(lengths: object, rows: int) -> str:
    """What to write instead of a number that was given for a list; nothing for anything else."""
    try:
        length = operator.index(lengths)  # type: ignore[arg-type]
    except TypeError:
        return ""
    return f"; for rows of equal length write [{length}] * {rows}"


def _target_lengths(targets: Tensor, target_lengths: Lengths, rows: int) -> tuple[int, ...]:
    """The checked lengths of padded [B, S] or concatenated [sum S] targets."""
    name = "target_lengths"
    if targets.dim() == 2:
        if targets.shape[0] != rows:
            raise InputError(
                f"padded targets must have one row for each of the {rows} rows of the logits, "
                f"got {list(targets.shape)}"
            )
        return check_lengths(target_lengths, name, rows, targets.shape[1], "columns of targets")
    if targets.dim() != 1:
        raise InputError(
            f"targets must be padded [B, S] or concatenated [sum S], got {list(targets.shape)}"
        )
    counts = check_lengths(target_lengths, name, rows, targets.numel(), "concatenated targets")
    if sum(counts) != targets.numel():
        raise InputError(
            f"concatenated targets hold {targets.numel()} labels, target_lengths sum to "
            f"{sum(counts)}; pass [B, S] if the targets are padded"
        )
    return counts


def _concatenate(targets: Tensor, lengths: tuple[int, ...]) -> Tensor:
    """The labels of all rows, one row after the other: int64 [sum S]."""
    if targets.dim() == 1:
        return targets.to(torch.int64).contiguous()
    if not lengths:
        return targets.new_zeros(0, dtype=torch.int64)
    width = targets.shape[1]
    flat = targets.reshape(-1).to(torch.int64)
    if min(lengths) == width:
        return flat
    inside = torch.arange(width) < torch.tensor(lengths)[:, None]
    places = inside.reshape(-1).nonzero()[:, 0]
    return flat.index_select(0, sent(places, targets.device))


def _check_labels(labels: Tensor, lengths: tuple[int, ...], blank: int, classes: int) -> None:
    wrong = (labels < 0) | (labels >= classes) | (labels == blank)
    if not bool(wrong.any()):
        return
    position = int(wrong.nonzero()[0])
    label = int(labels[position])
    reason = "which is the blank" if label == blank else f"which is not in 0..{classes - 1}"
    row = 0
    while position >= lengths[row]:
        position -= lengths[row]
        row += 1
    raise InputError(
        f"targets: row {row}, position {position} has label {label}, {reason}; "
        f"check that the tokenizer and the logits agree (C={classes}, blank={blank})"
    )


def weighted_prior(
    prior: Tensor | None, weight: float, classes: int, left_on: torch.device | None
) -> Tensor | None:
    """Log-probabilities [C] times their weight, float64 on the host.

    On the CUDA device `left_on` they stay, and are not looked at: that would wait for it.
    """
    if prior is None:
        return None
    if prior.dim() != 1 or prior.numel() != classes:
        raise InputError(
            f"prior must hold {classes} log-probabilities [C], got {list(prior.shape)}"
        )
    if prior.is_cuda and prior.device == left_on:
        return prior.detach().to(torch.float64) * float(weight)
    weighted = prior.detach().to("cpu", torch.float64) * float(weight)
    wrong = ~weighted.isfinite()
    if bool(wrong.any()):
        label = int(wrong.nonzero()[0])
        raise InputError(
            f"prior must be finite log-probabilities, class {label} has {float(prior[label])}; "
            f"smooth the counts before taking the log"
        )
    return weighted.contiguous()
