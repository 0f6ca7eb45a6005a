"""Spoilt videos: each share comes true, nobody is spoilt twice, and the seed decides."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
import torch
from torch import Tensor

from ctcasr.batch import Utterance
from ctcasr.video import Spoilt

LINE = Utterance(Path("a.wav"))


def counted(utterance: Utterance, seed: int) -> Tensor:
    return torch.arange(50)[:, None].float()


def fate(frames: Tensor) -> str:
    """What became of a clip."""
    values = frames[:, 0].tolist()
    if not values:
        return "missing"
    if values == list(range(50)):
        return "whole"
    if len(values) < 50:
        return "short"
    steps = frames[:, 0].diff()
    stuck = int((steps == 0).sum())
    beginning = int((steps[:3] == 0).sum())
    return "late" if stuck <= 3 and (beginning == stuck or values[-1] == 49) else "frozen"


def test_shares_come_true() -> None:
    spoilt = Spoilt(counted, missing=0.2, short=0.2, frozen=0.2, late=0.2)
    fates = Counter(fate(spoilt(LINE, seed)) for seed in range(400))
    for kind in ("missing", "short", "frozen", "late"):
        assert 40 < fates[kind] < 120, fates


def test_the_seed_decides() -> None:
    spoilt = Spoilt(counted)
    for seed in range(20):
        assert torch.equal(spoilt(LINE, seed), spoilt(LINE, seed))


def test_a_clip_without_frames_stays_one() -> None:
    spoilt = Spoilt(
        lambda utterance, seed: torch.zeros(0, 3), missing=0.1, frozen=0.5, late=0.4, short=0
    )
    for seed in range(20):
        assert spoilt(LINE, seed).shape == (0, 3)


def test_nothing_is_spoilt_where_no_share_is() -> None:
    untouched = Spoilt(counted, missing=0, short=0, frozen=0, late=0)
    assert {fate(untouched(LINE, seed)) for seed in range(20)} == {"whole"}


def test_shares_that_are_none_are_refused() -> None:
    with pytest.raises(ValueError, match="together 1"):
        Spoilt(counted, missing=0.8, late=0.4)
