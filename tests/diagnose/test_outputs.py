"""Numbers about scores, apart from any target."""

from __future__ import annotations

import math

import torch

from ctcasr.diagnose.outputs import output_stats


def test_padding_changes_nothing() -> None:
    logits = torch.randn(3, 9, 5, generator=torch.Generator().manual_seed(0))
    lengths = (9, 6, 2)
    padded = torch.cat([logits, torch.full((3, 4, 5), 1e4)], 1)
    for row, length in enumerate(lengths):
        padded[row, length:] = math.nan
    assert output_stats(padded, lengths) == output_stats(logits, lengths)


def test_frames_that_are_not_finite_are_counted() -> None:
    logits = torch.zeros(1, 4, 3)
    logits[0, 1, 2] = math.inf
    stats = output_stats(logits, (4,))
    assert stats["finite"] == 0.75 and abs(stats["top_probability"] - 1 / 3) < 1e-6
    assert math.isnan(output_stats(logits * math.nan, (4,))["top_probability"])


def test_without_a_frame_there_is_nothing_to_tell() -> None:
    assert output_stats(torch.zeros(2, 0, 3), (0, 0)) == {}
