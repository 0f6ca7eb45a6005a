"""Greedy decoding: the best class of every frame, repeats merged, blanks dropped."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from ctcasr.ctc.batch import Lengths, check_blank, check_lengths, to_device
from ctcasr.ctc.errors import InputError


class Decoded(NamedTuple):
    """One hypothesis.

    `score` is a log-probability in nats: of the best path (greedy), or of all paths together (beam
    search).
    """

    tokens: tuple[int, ...]
    frames: tuple[tuple[int, int], ...]  # of each token: first frame, one past its last
    score: float
    bonus: float = 0.0  # what a scorer added, nats

    @property
    def total(self) -> float:
        """What hypotheses are ordered by."""
        return self.score + self.bonus


def greedy(logits: Tensor, lengths: Lengths, blank: int = 0) -> list[Decoded]:
    """Best-path decoding of logits [B, T, C] with host lengths [B].

    One transfer from the device for the whole batch.

    Raises:
        InputError: wrong shape, blank or lengths.

    Example:
        >>> logits = torch.eye(3)[[1, 1, 0, 1, 2]][None]     # a a - a b
        >>> greedy(logits, [5])[0].tokens
        (1, 1, 2)
        >>> greedy(logits, [5])[0].frames
        ((0, 2), (3, 4), (4, 5))
    """
    if logits.dim() != 3:
        raise InputError(f"logits must be [B, T, C], got {list(logits.shape)}")
    rows, frames, classes = logits.shape
    frame_counts = check_lengths(lengths, "lengths", rows, frames, "frames of the logits")
    check_blank(blank, classes)
    if rows == 0 or frames == 0:
        return [Decoded((), (), 0.0)] * rows
    path = _best_path(logits, frame_counts, blank).on_host()
    tokens: list[list[int]] = [[] for _ in range(rows)]
    spans: list[list[tuple[int, int]]] = [[] for _ in range(rows)]
    for row, label, start, end in _runs(path.labels, path.boundaries):
        if label != blank:
            tokens[row].append(label)
            spans[row].append((start, end))
    scores = path.scores.tolist()
    decoded = []
    for row in range(rows):
        hypothesis = Decoded(tuple(tokens[row]), tuple(spans[row]), scores[row])
        decoded.append(hypothesis)
    return decoded


class _BestPath(NamedTuple):
    """The best class of every frame."""

    labels: Tensor  # [B, T], the blank in the padding
    boundaries: Tensor  # bool [B, T + 1]: a run of equal labels begins, or the row ends
    scores: Tensor  # float32 [B], nats

    def on_host(self) -> _BestPath:
        """The same in one transfer: one wait for the device instead of three."""
        frames = self.labels.shape[1]
        score_bits = self.scores.view(torch.int32)[:, None]
        columns = torch.cat([self.labels, self.boundaries, score_bits], 1)
        packed = columns.to(torch.int32).cpu()
        labels, boundaries, score_bits = packed.split([frames, frames + 1, 1], 1)
        scores = score_bits.contiguous().view(torch.float32)
        return _BestPath(labels, boundaries.bool(), scores[:, 0])


def _best_path(logits: Tensor, lengths: tuple[int, ...], blank: int) -> _BestPath:
    """The best path of logits [B, T, C], on their device."""
    logits = logits.detach().to(torch.promote_types(logits.dtype, torch.float32))
    rows, frames, _ = logits.shape
    frame = torch.arange(frames, device=logits.device)
    padding = frame >= to_device(lengths, logits.device)[:, None]
    highest, labels = logits.max(2)
    labels = labels.masked_fill(padding, blank)
    log_probs = highest - logits.logsumexp(2)
    log_probs = log_probs.masked_fill(padding, 0.0)
    boundaries = torch.ones(rows, frames + 1, dtype=torch.bool, device=logits.device)
    boundaries[:, 1:frames] = labels[:, 1:] != labels[:, :-1]
    return _BestPath(labels, boundaries, scores=log_probs.sum(1).float())


def _runs(labels: Tensor, boundaries: Tensor) -> list[list[int]]:
    """[row, label, first frame, one past the last] of every run of equal labels [B, T]."""
    boundary_rows, places = boundaries.nonzero().unbind(1)
    # Neighbouring boundaries of one row enclose a run.
    enclose_run = boundary_rows[1:] == boundary_rows[:-1]
    rows = boundary_rows[:-1][enclose_run]
    starts = places[:-1][enclose_run]
    ends = places[1:][enclose_run]
    columns = [rows, labels[rows, starts], starts, ends]
    runs: list[list[int]] = torch.stack(columns, 1).tolist()
    return runs


def penalised(logits: Tensor, blank: int, penalty: float) -> Tensor:
    """Logits [B, T, C] with `penalty` nats taken off the blank: more symbols, fewer deletions.

    Example:
        >>> penalised(torch.zeros(1, 1, 3), 0, 2.0).tolist()
        [[[-2.0, 0.0, 0.0]]]
    """
    if penalty == 0.0:
        return logits
    logits = logits.clone()
    logits[..., blank] -= penalty
    return logits
