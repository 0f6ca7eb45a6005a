"""Faces changed for training: each from its own seed, none beyond what was allowed."""

from __future__ import annotations

import pytest
import torch

from ctcasr.seq import Seq
from ctcasr.video import LipAugment

PLAIN = {"shift": 0, "flip": False, "light": 0.0, "drop": 0.0, "time_masks": 0}


def clips(*lengths: int) -> Seq:
    draw = torch.Generator().manual_seed(1)
    rows = []
    for length in lengths:
        rows.append(torch.randint(0, 256, (length, 6, 10), generator=draw, dtype=torch.uint8))
    return Seq.stack(rows, 25)


def test_nothing_asked_for_changes_nothing() -> None:
    video = clips(7, 4)
    augment = LipAugment(**PLAIN)
    assert torch.equal(augment.pictures(video, [1, 2]).data, video.data)
    assert torch.equal(augment(video, [1, 2]).data, video.data)
    assert augment.share == 0.0


def test_a_clip_changes_by_its_own_seed_whatever_stands_beside_it() -> None:
    video = clips(9, 5)
    augment = LipAugment()
    together = augment.pictures(video, [3, 4])
    alone = augment.pictures(video.rows([1]), [4])
    assert torch.equal(together.row(1), alone.row(0))
    assert not together.data[1, 5:].any()
    assert not torch.equal(alone.data, augment.pictures(video.rows([1]), [5]).data)


def test_clips_are_mirrored_in_half_of_the_cases_and_whole() -> None:
    video = clips(3)
    augment = LipAugment(**{**PLAIN, "flip": True})
    mirrored = 0
    for seed in range(40):
        changed = augment.pictures(video, [seed]).data
        is_mirrored = torch.equal(changed, video.data.flip(3))
        assert is_mirrored or torch.equal(changed, video.data)
        mirrored += is_mirrored
    assert 10 < mirrored < 30


def test_a_clip_moves_as_one_and_by_no_more_than_allowed() -> None:
    video = clips(3)
    augment = LipAugment(**{**PLAIN, "shift": 2})
    inside = video.data[:, :, 2:-2, 2:-2]
    for seed in range(20):
        moved = augment.pictures(video, [seed]).data
        places = [
            (down, right)
            for down in range(5)
            for right in range(5)
            if torch.equal(moved[:, :, down : down + 2, right : right + 6], inside)
        ]
        assert len(places) == 1


def test_a_lost_frame_shows_the_one_before() -> None:
    video = clips(60)
    changed = LipAugment(**{**PLAIN, "drop": 0.3}).pictures(video, [1]).data[0]
    lost = 0
    for place in range(60):
        same = torch.equal(changed[place], video.data[0, place])
        lost += not same
        assert same or torch.equal(changed[place], changed[place - 1])
    assert 5 < lost < 35


def test_spans_of_time_are_hidden_within_the_clip() -> None:
    video = Seq.stack([torch.ones(75, 2, 2), torch.ones(30, 2, 2)], 25)
    hidden = LipAugment(time_masks=2, mask_s=0.4)(video, [1, 2])
    for row, length in enumerate(video.lengths):
        gone = int((hidden.row(row)[:, 0, 0] == 0).sum())
        assert 0 < gone <= 20 < length


def test_light_bends_levels_and_keeps_their_order() -> None:
    slope = torch.arange(256, dtype=torch.uint8).reshape(1, 1, 16, 16)
    changed = LipAugment(**{**PLAIN, "light": 0.5}).pictures(Seq(slope, (1,), clips(1).rate), [2])
    levels = changed.data.flatten().int()
    assert levels[0] == 0 and levels[-1] == 255
    assert bool((levels.diff() >= 0).all())
    assert not torch.equal(changed.data, slope)


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="drop within"):
        LipAugment(drop=1.5)
    with pytest.raises(ValueError, match="shift"):
        LipAugment(shift=-1)
