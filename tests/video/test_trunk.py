"""What is seen, and the clock that it is brought to."""

from __future__ import annotations

from fractions import Fraction

import pytest
import torch
from torch.nn import functional

from ctcasr.seq import Seq
from ctcasr.video import ToClock, VisualTrunk


def test_statistics_are_those_of_real_frames() -> None:
    torch.manual_seed(0)
    trunk = VisualTrunk(1, 8).train()
    frames = torch.randint(0, 256, (6, 32, 32), dtype=torch.uint8)
    trunk(Seq.stack([frames], 25))
    alone = trunk.front_norm.running_var.clone()
    trunk.front_norm.reset_running_stats()
    padded = torch.zeros(1, 40, 32, 32, dtype=torch.uint8)
    padded[0, :6] = frames
    trunk(Seq(padded, (6,), Fraction(25)))
    torch.testing.assert_close(trunk.front_norm.running_var, alone)


def test_a_step_with_products_in_bfloat16_goes_through() -> None:
    torch.manual_seed(0)
    trunk = VisualTrunk(1, 8).train()
    frames = torch.randint(0, 256, (3, 32, 32), dtype=torch.uint8)
    video = Seq.stack([frames, frames[:2]], 25)
    with torch.autocast("cpu", torch.bfloat16):
        features = trunk(video).data
    assert features.dtype == torch.float32 and bool(features.isfinite().all())
    assert bool(features[1, 1].any()) and not bool(features[1, 2].any())
    features.sum().backward()
    assert trunk.linear.weight.grad is not None


def test_no_frame_gives_zeros() -> None:
    out = VisualTrunk(1, 8).eval()(Seq.stack([torch.zeros((0, 32, 32), dtype=torch.uint8)], 25))
    assert out.data.shape == (1, 0, 8)


@pytest.mark.parametrize(("frames", "steps"), [(75, 5999), (4, 50), (1, 7)])
def test_another_clock_is_bilinear_resizing(frames: int, steps: int) -> None:
    torch.manual_seed(0)
    x = Seq.stack([torch.randn(frames, 6)], Fraction(frames))
    like = Seq(torch.zeros(1, steps, 2), (steps,), Fraction(steps))
    theirs = functional.interpolate(
        x.data[:, None], size=(steps, 6), mode="bilinear", align_corners=False
    )[:, 0]
    torch.testing.assert_close(ToClock()(x, like).data, theirs, atol=1e-4, rtol=1e-3)


def test_causal_frames_are_held_until_the_next_begins() -> None:
    x = Seq.stack([torch.arange(3.0)[:, None]], 25)
    like = Seq(torch.zeros(1, 10, 1), (10,), Fraction(100))
    assert ToClock(causal=True)(x, like).data[0, :, 0].tolist() == [0, 0, 0, 0, 1, 1, 1, 1, 2, 2]


@pytest.mark.parametrize("causal", [False, True])
def test_a_short_video_is_held_and_none_is_zero(causal: bool) -> None:
    x = Seq.stack([torch.full((2, 1), 3.0), torch.zeros((0, 1))], 25)
    like = Seq(torch.zeros(2, 40, 1), (40, 40), Fraction(100))
    out = ToClock(causal)(x, like).data
    assert bool((out[0] == 3).all()) and not bool(out[1].any())
