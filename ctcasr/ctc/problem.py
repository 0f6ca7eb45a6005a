"""One checked CTC batch: the contract between the front door (`loss.py`) and the backends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import accumulate, pairwise
from typing import NamedTuple

import torch
from torch import Tensor

Lengths = Sequence[int] | Tensor


@dataclass(frozen=True)
class CtcBatch:
    """One batch: host lengths and concatenated targets, checked so that no kernel needs to look again.

    `checked` is False only for device targets that were left where they are (`prepare(..., on_device=True)`): their
    labels were not looked at, so the kernel must clamp, and the properties that read labels bring them to the host.
    """

    targets: (
        Tensor  # int64 [sum of target_lengths], contiguous, row after row; on the host if `checked`
    )
    input_lengths: tuple[int, ...]
    target_lengths: tuple[int, ...]
    blank: int
    prior: Tensor | None = None  # float64 [C] on the host, already multiplied by prior_weight
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
        if not self.target_lengths:
            return ()
        labels = self.host_targets
        before = torch.zeros(labels.numel() + 1, dtype=torch.int64)
        if labels.numel() > 1:
            before[2:] = (labels[1:] == labels[:-1]).cumsum(0)
        counts = before.tolist()  # counts[j]: equal pairs whose second label lies before position j
        return tuple(
            counts[end] - counts[start + 1] if end > start else 0
            for start, end in pairwise(self.offsets)
        )

    @cached_property
    def slack(self) -> tuple[int, ...]:
        """Frames beyond the shortest path, T - U - R, for each row; negative means that no path exists."""
        return tuple(
            t - u - r
            for t, u, r in zip(self.input_lengths, self.target_lengths, self.repeats, strict=True)
        )

    @cached_property
    def feasible(self) -> tuple[bool, ...]:
        """Whether a path exists in each row: T >= U + R."""
        return tuple(frames >= 0 for frames in self.slack)

    def row(self, index: int) -> Tensor:
        """Targets of one row [U]."""
        return self.targets[self.offsets[index] : self.offsets[index + 1]]

    def padded(self) -> Tensor:
        """Host targets [B, max U], filled up with the blank."""
        width = max(self.target_lengths, default=0)
        out = torch.full((len(self.target_lengths), width), self.blank, dtype=torch.int64)
        if self.targets.numel():
            out[torch.arange(width) < torch.tensor(self.target_lengths)[:, None]] = (
                self.host_targets
            )
        return out


def to_device(values: tuple[int, ...], device: torch.device) -> Tensor:
    """Host integers as an int64 tensor on a device, without waiting for it."""
    there = torch.tensor(values, dtype=torch.int64)
    return (
        there.pin_memory().to(device, non_blocking=True)
        if device.type == "cuda"
        else there.to(device)
    )


class CtcOutput(NamedTuple):
    """What every backend returns for a batch."""

    nll: Tensor  # [B] float32 (float64 for float64 logits), device of the logits; inf where no path has a probability
    grad: (
        Tensor | None
    )  # [B, T, C], dtype of the logits: d nll_b / d logits; zero on padding and infeasible rows
    health: (
        Tensor  # [B] float32: relative spread over time of sum_s alpha_t(s) beta_t(s); 0 is perfect
    )


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
    """Check one batch for logits [B, T, C] and targets [B, S] or [sum S]; ValueError names the row that is wrong.

    Lengths are host integers; a device tensor of lengths makes this wait for the device. `on_device=True` leaves
    CUDA targets beside CUDA logits unread where they are (`checked=False`), so that nothing waits.
    """
    if logits.dim() != 3 or not logits.is_floating_point():
        raise ValueError(
            f"logits must be a floating point tensor [B, T, C], got {logits.dtype} {list(logits.shape)}"
        )
    batch, frames, classes = logits.shape
    if not 0 <= blank < classes:
        raise ValueError(
            f"blank must lie in 0..{classes - 1} (logits have {classes} classes), got {blank}"
        )
    times = check_lengths(input_lengths, "input_lengths", batch, frames, "frames of the logits")
    if targets.dim() == 2:
        if targets.shape[0] != batch:
            raise ValueError(
                f"padded targets must have one row for each of the {batch} rows of the logits, "
                f"got {list(targets.shape)}"
            )
        labels = check_lengths(
            target_lengths, "target_lengths", batch, targets.shape[1], "columns of targets"
        )
    elif targets.dim() == 1:
        labels = check_lengths(
            target_lengths, "target_lengths", batch, targets.numel(), "concatenated targets"
        )
        if sum(labels) != targets.numel():
            raise ValueError(
                f"concatenated targets hold {targets.numel()} labels, target_lengths sum to "
                f"{sum(labels)}; pass [B, S] if the targets are padded"
            )
    else:
        raise ValueError(
            f"targets must be padded [B, S] or concatenated [sum S], got {list(targets.shape)}"
        )
    if targets.is_floating_point() or targets.is_complex() or targets.dtype == torch.bool:
        raise ValueError(f"targets must be integers, got {targets.dtype}")
    leave = on_device and targets.is_cuda and targets.device == logits.device
    flat = _concatenate(targets.detach() if leave else targets.detach().cpu(), labels)
    if not leave:
        _check_labels(flat, labels, blank, classes)
    return CtcBatch(
        flat,
        times,
        labels,
        blank,
        _prior(prior, prior_weight, classes),
        normalize,
        checked=not leave,
    )


def checked(problem: CtcBatch, classes: int) -> CtcBatch:
    """The problem with its labels on the host and checked (waits for the device if they were not)."""
    if problem.checked:
        return problem
    _check_labels(problem.host_targets, problem.target_lengths, problem.blank, classes)
    return replace(problem, targets=problem.host_targets, checked=True)


def check_lengths(given: Lengths, name: str, batch: int, most: int, what: str) -> tuple[int, ...]:
    if isinstance(given, Tensor) and (given.is_floating_point() or given.dim() > 1):
        raise ValueError(f"{name} must be {batch} integers, got {given.dtype} {list(given.shape)}")
    listed = given.reshape(-1).tolist() if isinstance(given, Tensor) else given
    if any(int(value) != value for value in listed):
        raise ValueError(f"{name} must be integers, got {listed}")
    values = tuple(int(value) for value in listed)
    if len(values) != batch:
        raise ValueError(
            f"{name} must hold one length for each of the {batch} rows, got {len(values)}"
        )
    for row, value in enumerate(values):
        if not 0 <= value <= most:
            raise ValueError(f"{name}: row {row} has length {value}, expected 0..{most} ({what})")
    return values


def _concatenate(targets: Tensor, lengths: tuple[int, ...]) -> Tensor:
    if targets.dim() == 1:
        return targets.to(torch.int64).contiguous()
    if not lengths:
        return targets.new_zeros(0, dtype=torch.int64)
    return torch.cat([targets[row, :length] for row, length in enumerate(lengths)]).to(torch.int64)


def _check_labels(flat: Tensor, lengths: tuple[int, ...], blank: int, classes: int) -> None:
    wrong = (flat < 0) | (flat >= classes) | (flat == blank)
    if not bool(wrong.any()):
        return
    position = int(wrong.nonzero()[0])
    label = int(flat[position])
    for row, length in enumerate(lengths):
        if position < length:
            why = "which is the blank" if label == blank else f"which is not in 0..{classes - 1}"
            raise ValueError(
                f"targets: row {row}, position {position} has label {label}, {why}; "
                f"check that the tokenizer and the logits agree (C={classes}, blank={blank})"
            )
        position -= length


def _prior(prior: Tensor | None, weight: float, classes: int) -> Tensor | None:
    if prior is None:
        return None
    if prior.dim() != 1 or prior.numel() != classes:
        raise ValueError(
            f"prior must hold {classes} log-probabilities [C], got {list(prior.shape)}"
        )
    scaled = prior.detach().to("cpu", torch.float64) * float(weight)
    if not bool(scaled.isfinite().all()):
        bad = int((~scaled.isfinite()).nonzero()[0])
        raise ValueError(
            f"prior must be finite log-probabilities, class {bad} has {float(prior[bad])}; "
            f"smooth the counts before taking the log"
        )
    return scaled.contiguous()
