"""What the scores of a batch look like, apart from any target."""

from __future__ import annotations

import torch
from torch import Tensor

_POSITIONS = 16


def output_stats(logits: Tensor, input_lengths: tuple[int, ...]) -> dict[str, float]:
    """Plain numbers about logits [B, T, C]: do they vary (probabilities), are they finite, are they probabilities already?"""
    real = torch.arange(logits.shape[1]) < torch.tensor(input_lengths)[:, None]
    rows = logits.detach().float().cpu()
    frames = rows[real]
    if not len(frames):
        return {}
    finite = frames.isfinite().all(1)
    probs = rows.softmax(2)
    places = [torch.linspace(0, max(n - 1, 0), _POSITIONS).round().long() for n in input_lengths]
    grid = torch.stack([probs[row, place] for row, place in enumerate(places)])  # [B, P, C]
    sums_to_one = (frames.min(1).values >= 0) & ((frames.sum(1) - 1).abs() < 1e-3)
    return {
        "finite": float(finite.float().mean()),
        # Spread (sum of variances over classes) between utterances at the same relative position, and within them.
        "spread_utterances": float(grid.var(0, unbiased=False).sum(1).mean()),
        "spread_frames": float(grid.var(1, unbiased=False).sum(1).mean()),
        "already_softmax": float(sums_to_one.float().mean()),
        "top_probability": float(frames.softmax(1).amax(1)[finite].mean())
        if bool(finite.any())
        else float("nan"),
    }
