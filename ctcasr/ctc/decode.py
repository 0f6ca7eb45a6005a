"""Greedy decoding: the best class of every frame, repeats merged, blanks dropped."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from ctcasr.ctc.problem import Lengths, check_lengths, to_device


class Decoded(NamedTuple):
    """One hypothesis."""

    tokens: tuple[int, ...]
    frames: tuple[tuple[int, int], ...]  # of each token: first frame, one past its last
    score: float  # log-probability, nats: of the best path (greedy), of all paths together (beam search)
    bonus: float = 0.0  # what a scorer added, nats

    @property
    def total(self) -> float:
        """What hypotheses are ordered by."""
        return self.score + self.bonus


def greedy(logits: Tensor, lengths: Lengths, blank: int = 0) -> list[Decoded]:
    """Best-path decoding of logits [B, T, C] with host lengths [B]; one transfer from the device for the batch."""
    if logits.dim() != 3:
        raise ValueError(f"logits must be [B, T, C], got {list(logits.shape)}")
    batch, frames, classes = logits.shape
    times = check_lengths(lengths, "lengths", batch, frames, "frames of the logits")
    if not 0 <= blank < classes:
        raise ValueError(
            f"blank must lie in 0..{classes - 1} (logits have {classes} classes), got {blank}"
        )
    if batch == 0 or frames == 0:
        return [Decoded((), (), 0.0)] * batch
    padding = torch.arange(frames, device=logits.device) >= to_device(times, logits.device)[:, None]
    top, best = logits.detach().float().max(2)
    scores = (top - logits.detach().float().logsumexp(2)).masked_fill(padding, 0.0).sum(1)
    best = best.masked_fill(padding, blank)
    change = torch.ones(batch, frames + 1, dtype=torch.bool, device=logits.device)
    change[:, 1:frames] = best[:, 1:] != best[:, :-1]
    # Labels, run boundaries and scores travel together: one wait for the device instead of three.
    packed = torch.cat([best, change, scores.view(torch.int32)[:, None]], 1).to(torch.int32).cpu()
    labels, ends = packed[:, :frames], packed[:, frames : 2 * frames + 1].bool()
    values = packed[:, -1].contiguous().view(torch.float32).tolist()
    out: list[list[tuple[int, int, int]]] = [[] for _ in range(batch)]
    row, place = ends.nonzero().unbind(1)
    # Neighbouring boundaries of one row enclose a run.
    same = row[1:] == row[:-1]
    row, start, end = row[:-1][same], place[:-1][same], place[1:][same]
    label = labels[row, start]
    keep = label != blank
    for b, *token in torch.stack([row, label, start, end], 1)[keep].tolist():
        out[b].append((token[0], token[1], token[2]))
    return [
        Decoded(tuple(t for t, _, _ in tokens), tuple((a, z) for _, a, z in tokens), score)
        for tokens, score in zip(out, values, strict=True)
    ]


def penalised(logits: Tensor, blank: int, penalty: float) -> Tensor:
    """Logits [B, T, C] with `penalty` nats taken off the blank: more symbols, fewer deletions."""
    if penalty == 0.0:
        return logits
    logits = logits.clone()
    logits[..., blank] -= penalty
    return logits
