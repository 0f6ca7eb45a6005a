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
    best, scores = _best_path(logits, frame_counts, blank)
    changes = torch.ones(rows, frames + 1, dtype=torch.bool, device=logits.device)
    changes[:, 1:frames] = best[:, 1:] != best[:, :-1]
    # Labels, run boundaries and scores travel together: one wait for the device instead of three.
    score_bits = scores.view(torch.int32)[:, None]
    packed = torch.cat([best, changes, score_bits], 1).to(torch.int32).cpu()
    best, changes, score_bits = packed.split([frames, frames + 1, 1], 1)

    tokens: list[list[int]] = [[] for _ in range(rows)]
    spans: list[list[tuple[int, int]]] = [[] for _ in range(rows)]
    for row, label, start, end in _runs(best, changes.bool()):
        if label != blank:
            tokens[row].append(label)
            spans[row].append((start, end))
    decoded = []
    row_scores = score_bits.contiguous().view(torch.float32)[:, 0].tolist()
    for row, score in enumerate(row_scores):
        decoded.append(Decoded(tuple(tokens[row]), tuple(spans[row]), score))
    return decoded


def _best_path(logits: Tensor, lengths: tuple[int, ...], blank: int) -> tuple[Tensor, Tensor]:
    """Best class of each frame [B, T] (blank in the padding), log-probability of the path [B]."""
    logits = logits.detach().float()
    frame = torch.arange(logits.shape[1], device=logits.device)
    padding = frame >= to_device(lengths, logits.device)[:, None]
    top, best = logits.max(2)
    log_probs = (top - logits.logsumexp(2)).masked_fill(padding, 0.0)
    return best.masked_fill(padding, blank), log_probs.sum(1)


def _runs(labels: Tensor, changes: Tensor) -> list[list[int]]:
    """[row, label, first frame, one past the last] of every run of equal labels [B, T].

    changes [B, T + 1] are true where a run begins or the row ends.
    """
    row, boundary = changes.nonzero().unbind(1)
    # Neighbouring boundaries of one row enclose a run.
    same_row = row[1:] == row[:-1]
    row = row[:-1][same_row]
    start = boundary[:-1][same_row]
    end = boundary[1:][same_row]
    runs: list[list[int]] = torch.stack([row, labels[row, start], start, end], 1).tolist()
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
