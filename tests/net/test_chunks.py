"""Chunks overlap by half and come back; norms equal GroupNorm or look at nothing that comes."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from ctcasr.net import Chunking, CumulativeNorm, GlobalNorm
from ctcasr.seq import Seq


def rows(*lengths: int, features: int = 3, seed: int = 0) -> Seq:
    draw = torch.Generator().manual_seed(seed)
    return Seq.stack([torch.randn(n, features, generator=draw) for n in lengths], 100)


@pytest.mark.parametrize(
    ("frames", "chunks"), [(5999, 62), (5099, 52), (0, 0), (1, 2), (100, 2), (101, 4)]
)
def test_count_of_chunks(frames: int, chunks: int) -> None:
    assert Chunking(200).count(frames) == chunks


@pytest.mark.parametrize("length", [1, 4, 5, 8, 9, 23])
def test_every_frame_lies_in_two_chunks_and_comes_back_twice(length: int) -> None:
    x = rows(length)
    chunking = Chunking(8)
    chunks = chunking.cut(x)
    assert chunks.data.shape == (1, chunking.count(length), 8, 3)
    torch.testing.assert_close(chunking.join(chunks, x).data, 2 * x.data)


def test_sums_so_far_are_those_of_the_time_in_chunks() -> None:
    chunking, x = Chunking(4), rows(9)
    chunks = chunking.cut(x).data
    found = chunking.sums_so_far(chunks)
    times = torch.arange(chunks.shape[1])[:, None] * 2 + torch.arange(4)
    for s in range(chunks.shape[1]):
        for k in range(4):
            torch.testing.assert_close(found[0, s, k], chunks[0][times <= times[s, k]].sum(0))


def test_odd_chunks_are_refused() -> None:
    with pytest.raises(ValueError, match="even"):
        Chunking(7)


def test_global_norm_is_group_norm_of_one_group_row_by_row() -> None:
    x = rows(7, 3, 5)
    ours, theirs = GlobalNorm(3), nn.GroupNorm(1, 3)
    with torch.no_grad():
        for part in (ours, theirs):
            part.weight.copy_(torch.tensor([1.0, 2.0, -1.0]))
            part.bias.copy_(torch.tensor([0.5, 0.0, 1.0]))
    found = ours(x)
    for index in range(3):
        torch.testing.assert_close(
            found.row(index), theirs(x.row(index).T[None])[0].T, atol=1e-5, rtol=1e-5
        )
    assert not bool(found.data[~x.mask].any())


def test_cumulative_norm_ends_where_the_global_one_is_and_sees_no_future() -> None:
    x = rows(6)
    norm = CumulativeNorm(3)
    found = norm(x).data
    torch.testing.assert_close(found[:, -1], GlobalNorm(3)(x).data[:, -1], atol=1e-5, rtol=1e-5)
    changed = x.data.clone()
    changed[:, 4:] += 5
    torch.testing.assert_close(norm(x.with_data(changed)).data[:, :4], found[:, :4])
