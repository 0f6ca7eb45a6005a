"""Forced alignment: the best path through the CTC lattice that spells the target (Viterbi), for a whole batch."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from ctcasr.ctc.backends import select
from ctcasr.ctc.batch import CtcBatch, Lengths, prepare, to_device
from ctcasr.ctc.reference import NEVER, lattice, scores


class Span(NamedTuple):
    """Where one label lies: frames start..end-1, and the mean log-probability of its frames."""

    label: int
    start: int
    end: int
    score: float


class Alignment(NamedTuple):
    """Best path of one row; a row without any path has empty fields, score -inf and posterior 0."""

    labels: Tensor  # int64 [T], host: class of every frame
    states: Tensor  # int64 [T], host: lattice state of every frame; label u is state 2u + 1
    tokens: tuple[Span, ...]  # one for each target label
    score: float  # log-probability of the path, nats
    posterior: float  # share of this path among all paths that spell the target


def forced_align(
    logits: Tensor,
    targets: Tensor,
    input_lengths: Lengths,
    target_lengths: Lengths,
    *,
    blank: int = 0,
) -> list[Alignment]:
    """Viterbi alignment of logits [B, T, C] to targets [B, S] or [sum S], one Alignment per row; float64 inside.

    Raises the ValueErrors of `ctc_loss`. Rows without a path are returned empty, with score -inf.
    """
    logits = logits.detach()
    ctc_batch = prepare(logits, targets, input_lengths, target_lengths, blank)
    seen = scores(logits, ctc_batch)
    nll = select("auto", logits.device)(logits, ctc_batch, False).nll.tolist()
    total, states = _viterbi(*lattice(seen, ctc_batch), ctc_batch)
    labels = torch.full_like(states, blank)
    if ctc_batch.targets.numel():
        padded = ctc_batch.padded()
        labels = torch.where(
            states % 2 == 1, padded.gather(1, (states // 2).clamp(0, padded.shape[1] - 1)), blank
        )
    values = seen.gather(2, labels.to(seen.device)[..., None])[..., 0].cpu()
    return [
        _alignment(
            ctc_batch, row, labels[row], states[row], values[row], float(total[row]), nll[row]
        )
        for row in range(len(ctc_batch.input_lengths))
    ]


def _viterbi(emissions: Tensor, skip: Tensor, ctc_batch: CtcBatch) -> tuple[Tensor, Tensor]:
    """Score of the best path [B] and its state per frame [B, T], both on the host."""
    batch, frames, states = emissions.shape
    device = emissions.device
    lengths = to_device(ctc_batch.input_lengths, device)
    barred = torch.where(skip, 0.0, NEVER).to(emissions)
    # Two states of probability zero in front, so that every state has three ones to come from.
    padded = emissions.new_full((batch, states + 2), NEVER)
    back = torch.zeros(frames, batch, states, dtype=torch.int8, device=device)
    for t in range(frames):
        if t == 0:
            best = emissions.new_full((batch, states), NEVER)
            best[:, :2] = 0.0
        else:
            stay, step, jump = padded[:, 2:], padded[:, 1:-1], padded[:, :-2] + barred
            best = torch.maximum(stay, step)
            back[t] = torch.where(jump > best, 2, (step > stay).to(torch.int8))
            best = torch.maximum(best, jump)
        padded[:, 2:] = torch.where((t < lengths)[:, None], best + emissions[:, t], padded[:, 2:])
    last = 2 * to_device(ctc_batch.target_lengths, device)[:, None]
    end = padded.gather(1, last + 2)[:, 0]
    before = padded.gather(1, last + 1)[:, 0]
    state = last[:, 0] - (before > end).long()
    total = torch.maximum(before, end).masked_fill((lengths == 0) & (last[:, 0] == 0), 0.0)
    path = torch.zeros(batch, frames, dtype=torch.int64, device=device)
    for t in range(frames - 1, -1, -1):
        path[:, t] = state
        step = back[t].gather(1, state[:, None])[:, 0].long()
        state = torch.where(t < lengths, state - step, state)
    return total.cpu(), path.cpu()


def _alignment(
    ctc_batch: CtcBatch,
    row: int,
    labels: Tensor,
    states: Tensor,
    values: Tensor,
    total: float,
    nll: float,
) -> Alignment:
    frames, target = ctc_batch.input_lengths[row], ctc_batch.row(row).tolist()
    if math.isinf(total):
        none = torch.zeros(0, dtype=torch.int64)
        return Alignment(none, none, (), total, 0.0)
    labels, states, values = labels[:frames], states[:frames], values[:frames]
    # States never go down, so the frames of label u are those between its first and the next state's first.
    marks = 2 * torch.arange(len(target)) + 1
    starts = torch.searchsorted(states.contiguous(), marks).tolist()
    ends = torch.searchsorted(states.contiguous(), marks, right=True).tolist()
    spans = tuple(
        Span(label, start, end, float(values[start:end].mean()))
        for label, start, end in zip(target, starts, ends, strict=True)
    )
    return Alignment(labels, states, spans, total, math.exp(min(total + nll, 0.0)))
