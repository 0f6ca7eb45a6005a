"""Warped frequencies: a peak moves by its factor, the ends stay, rows and seeds are their own."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ctcasr.front import Mel
from ctcasr.front.warp import draw_warps, warp_frequencies
from ctcasr.seq import Seq

BINS = 257


def peaks(*bins: int) -> Seq:
    """One frame a row, with one bin of power."""
    rows = []
    for place in bins:
        frame = torch.zeros(1, BINS)
        frame[0, place] = 1.0
        rows.append(frame)
    return Seq.stack(rows, rate=100)


def centre(frame: torch.Tensor) -> float:
    """Where the power of one frame [F] lies, in bins."""
    return float((frame * torch.arange(BINS)).sum() / frame.sum())


@given(st.integers(8, 110), st.floats(0.85, 1.15))
def test_a_formant_moves_by_its_factor(place: int, factor: float) -> None:
    moved = warp_frequencies(peaks(place), [factor])
    assert centre(moved.data[0, 0]) == pytest.approx(place * factor, abs=0.75)


@given(st.floats(0.7, 1.3))
def test_both_ends_stay_and_every_bin_comes_from_within(factor: float) -> None:
    ramp = Seq.stack([torch.arange(float(BINS))[None]], rate=100)
    warped = warp_frequencies(ramp, [factor]).data[0, 0]
    assert float(warped[0]) == 0.0 and float(warped[-1]) == pytest.approx(BINS - 1, abs=1e-3)
    assert bool((warped.diff() > 0).all())


def test_a_factor_of_one_changes_nothing_and_rows_have_their_own() -> None:
    frames = Seq.stack([torch.rand(5, BINS), torch.rand(3, BINS)], rate=100)
    warped = warp_frequencies(frames, [1.0, 1.1])
    torch.testing.assert_close(warped.data[0], frames.data[0])
    alone = warp_frequencies(frames.rows([1]), [1.1])
    assert torch.equal(warped.row(1), alone.row(0))
    assert not torch.equal(warped.row(1), frames.row(1))


def test_draws_are_those_of_the_seed_within_their_range_on_both_sides() -> None:
    factors = draw_warps(0.1, range(200))
    assert draw_warps(0.1, [7]) == factors[7:8]
    assert 0.9 <= min(factors) < 0.92 and 1.08 < max(factors) <= 1.1


def test_a_longer_vocal_tract_lowers_the_mel_bands_that_are_loud() -> None:
    time = torch.arange(16000) / 16000
    tone = 0.3 * torch.sin(2 * torch.pi * 1500 * time)
    mel = Mel(16000, bands=80)
    samples = Seq.stack([tone], rate=16000)
    plain = int(mel(samples).row(0).mean(0).argmax())
    lower = int(mel(samples, [0.85]).row(0).mean(0).argmax())
    higher = int(mel(samples, [1.15]).row(0).mean(0).argmax())
    assert lower < plain < higher
    same = Mel(16000, bands=80)(Seq.stack([0.3 * torch.sin(2 * torch.pi * 1275 * time)], 16000))
    assert lower == int(same.row(0).mean(0).argmax())
