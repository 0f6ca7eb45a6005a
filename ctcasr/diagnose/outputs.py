"""What the scores of a batch look like, apart from any target."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ctcasr.diagnose.share import share_set

_POSITIONS = 16  # places in each row at which rows are compared
_SUMS_TO_ONE = 1e-3  # distance from 1


def output_stats(logits: Tensor, input_lengths: tuple[int, ...]) -> dict[str, float]:
    """Plain numbers about logits [B, T, C]; nothing where no row has a frame.

    finite: share of the frames whose scores all are. already_softmax: share of the frames that hold
    probabilities. between_0_and_1: share of the frames all of whose scores are. lowest and highest:
    mean over frames of the extreme scores. top_probability: the mean probability of the best class.
    spread_utterances and spread_frames: sum over classes of the variance of probabilities, between
    rows at the same relative position, and within rows.

    Example:
        >>> stats = output_stats(torch.zeros(2, 3, 4), (3, 2))
        >>> stats["finite"], stats["top_probability"], stats["spread_frames"]
        (1.0, 0.25, 0.0)
    """
    scores = logits.detach().float().cpu()
    real = torch.arange(scores.shape[1]) < torch.tensor(input_lengths)[:, None]
    frames = scores[real]  # [sum T, C]
    if not len(frames):
        return {}
    finite = frames.isfinite().all(1)
    lowest = frames.amin(1)
    highest = frames.amax(1)
    positive = lowest >= 0
    sums_to_one = (frames.sum(1) - 1).abs() < _SUMS_TO_ONE
    grid = _at_positions(scores.softmax(2), input_lengths)
    spread_utterances = grid.var(0, unbiased=False).sum(1)
    spread_frames = grid.var(1, unbiased=False).sum(1)
    return {
        "finite": share_set(finite),
        "spread_utterances": float(spread_utterances.mean()),
        "spread_frames": float(spread_frames.mean()),
        "lowest": float(lowest.mean()),
        "highest": float(highest.mean()),
        "between_0_and_1": share_set(positive & (highest <= 1)),
        "already_softmax": share_set(positive & sums_to_one),
        "top_probability": _mean_top_probability(frames[finite]),
    }


def best_class_counts(logits: Tensor, input_lengths: tuple[int, ...]) -> Tensor:
    """How often each class is the likeliest over the frames of logits [B, T, C]: int64 [C].

    Example:
        >>> best_class_counts(torch.tensor([[[0.0, 1.0], [2.0, 1.0]]]), (1,)).tolist()
        [0, 1]
    """
    best = logits.detach().argmax(2).cpu()
    real = torch.arange(best.shape[1]) < torch.tensor(input_lengths)[:, None]
    return best[real].bincount(minlength=logits.shape[2])


def _mean_top_probability(frames: Tensor) -> float:
    """Mean probability of the best class of scores [N, C]; NaN without any."""
    if not len(frames):
        return math.nan
    top_probability = frames.softmax(1).amax(1)
    return float(top_probability.mean())


def _at_positions(probabilities: Tensor, input_lengths: tuple[int, ...]) -> Tensor:
    """Probabilities [B, P, C] at the same relative positions of every row."""
    rows = []
    for row, length in enumerate(input_lengths):
        places = torch.linspace(0, max(length - 1, 0), _POSITIONS).round().long()
        rows.append(probabilities[row, places])
    return torch.stack(rows)
