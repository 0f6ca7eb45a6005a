"""Fully connected layers: sizes, BatchNorm before each, frames that do not see one another."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch

from ctcasr.net import Head, SequenceBatchNorm
from ctcasr.seq import Seq


def batch(*lengths: int) -> Seq:
    draw = torch.Generator().manual_seed(0)
    return Seq.stack([torch.randn(n, 6, generator=draw) for n in lengths], 100)


@pytest.mark.parametrize("norm", [True, False])
@pytest.mark.parametrize("hidden", [(), (5,), (5, 4)])
def test_sizes_and_norms(norm: bool, hidden: tuple[int, ...]) -> None:
    head = Head(6, hidden, 9, norm)
    sizes = [6, *hidden, 9]
    assert [tuple(layer.weight.shape) for layer in head.layers] == [
        (b, a) for a, b in pairwise(sizes)
    ]
    wanted = sizes[:-1] if norm else []
    assert [m.weight.numel() for m in head.modules() if isinstance(m, SequenceBatchNorm)] == wanted
    assert head(batch(7, 4)).data.shape == (2, 7, 9)
    assert head.output is head.layers[-1] and head.output.out_features == 9


@pytest.mark.parametrize("clip", [None, 0.3])
def test_equals_linear_relu_linear(clip: float | None) -> None:
    torch.manual_seed(0)
    head, x = Head(6, (5,), 9, norm=False, clip=clip), batch(7)
    inside = head.layers[0](x.data).clamp(0.0, clip)
    assert torch.allclose(head(x).data, head.layers[1](inside), atol=1e-6)
    assert bool((head(x).data < 0).any())  # scores are not rectified


def test_a_row_is_the_same_alone_and_in_a_batch() -> None:
    torch.manual_seed(0)
    head = Head(6, (5,), 9, clip=20.0)
    head(batch(30, 20))
    head.eval()
    x = batch(7, 4, 1)
    for index in range(3):
        assert torch.allclose(
            head(x).row(index), head(Seq.stack([x.row(index)], 100)).row(0), atol=1e-6
        )


def test_dropout_acts_in_training_only() -> None:
    torch.manual_seed(0)
    head, x = Head(6, (), 9, norm=False, dropout=0.5), batch(20)
    assert not torch.equal(head(x).data, head(x).data)
    head.eval()
    assert torch.equal(head(x).data, head(x).data)
