"""Lip readers' front-end and trunk: alone as in a batch, blind to light, causal where asked."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from ctcasr.seq import Seq
from ctcasr.video import FrameNorm, LipFront, LipSpec, LipTrunk

SMALL = LipSpec(height=8, width=12, channels=(4, 6), features=5)


def clips(*lengths: int) -> Seq:
    draw = torch.Generator().manual_seed(1)
    rows = []
    for length in lengths:
        rows.append(torch.randint(0, 256, (length, 8, 12), generator=draw, dtype=torch.uint8))
    return Seq.stack(rows, 25)


def trunk(spec: LipSpec = SMALL) -> LipTrunk:
    torch.manual_seed(0)
    return LipTrunk(spec).eval()


def test_a_clip_is_seen_alone_as_in_a_batch() -> None:
    front = LipFront(SMALL)
    both = clips(9, 5)
    with torch.no_grad():
        together = trunk()(front(both))
        alone = trunk()(front(both.rows([1])))
    torch.testing.assert_close(together.row(1), alone.row(0))
    assert not together.data[1, 5:].any()
    assert together.data.shape == (2, 9, 5)


def test_batchnorm_counts_real_frames_only() -> None:
    padded = clips(9, 5)
    bare = padded.rows([1])
    longer = Seq(
        torch.cat((bare.data, torch.full_like(bare.data, 255)), 1), bare.lengths, bare.rate
    )
    statistics = []
    for video in (bare, longer):
        network = trunk().train()
        network(LipFront(SMALL)(video))
        statistics.append(network.norm.running_mean)
    torch.testing.assert_close(*statistics)


def test_neither_brightness_nor_contrast_is_seen() -> None:
    dark = torch.randint(40, 90, (1, 4, 8, 12), dtype=torch.uint8)
    bright = dark * 2 + 30
    front = LipFront(SMALL)
    seen = [front(Seq(clip, (4,), clips(1).rate)).data for clip in (dark, bright)]
    torch.testing.assert_close(*seen)


def test_a_frame_of_one_grey_is_no_division_by_zero() -> None:
    grey = Seq.stack([torch.full((2, 8, 12), 7, dtype=torch.uint8)], 25)
    assert not FrameNorm()(grey).data.any()


@pytest.mark.parametrize("causal", [True, False])
def test_a_causal_trunk_sees_no_later_frame_and_the_other_one_does(causal: bool) -> None:
    network = trunk(replace(SMALL, causal=causal))
    video = LipFront(SMALL)(clips(10))
    changed = video.data.clone()
    changed[:, 6:] *= -1
    with torch.no_grad():
        before = network(video).data
        after = network(video.with_data(changed)).data
    assert torch.equal(before[:, :4], after[:, :4])
    assert torch.equal(before[:, :6], after[:, :6]) == causal
    assert not torch.equal(before[:, 6], after[:, 6])


def test_without_a_frame_there_are_zeros() -> None:
    nothing = Seq(torch.zeros(2, 3, 8, 12), (0, 0), clips(1).rate)
    seen = trunk()(nothing)
    assert seen.data.shape == (2, 3, 5)
    assert not seen.data.any()


@pytest.mark.parametrize(
    "change", [{"height": 0}, {"width": -1}, {"features": 0}, {"channels": (4, 0)}, {"convs": -1}]
)
def test_sizes_that_no_picture_and_no_layer_has_are_refused(change: dict) -> None:
    with pytest.raises(ValueError, match="sizes of at least 1"):
        replace(SMALL, **change)


def test_pictures_of_another_size_or_rate_are_refused() -> None:
    front = LipFront(SMALL)
    with pytest.raises(ValueError, match="8, 12"):
        front(Seq.stack([torch.zeros(3, 9, 12)], 25))
    with pytest.raises(ValueError, match="25 a second"):
        front(Seq.stack([torch.zeros(3, 8, 12)], 30))
    with pytest.raises(ValueError, match="context"):
        LipTrunk(replace(SMALL, context=0))
