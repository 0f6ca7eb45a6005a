"""The look-ahead convolution: so many frames of the future, none of the past, no batch mates."""

from __future__ import annotations

import pytest
import torch

from ctcasr.net import Lookahead
from ctcasr.seq import Seq


def layer() -> Lookahead:
    torch.manual_seed(0)
    made = Lookahead(4, 3)
    torch.nn.init.normal_(made.conv.weight)
    return made


def batch(*lengths: int) -> Seq:
    draw = torch.Generator().manual_seed(0)
    return Seq.stack([torch.randn(n, 4, generator=draw) for n in lengths], 25)


def test_it_is_the_weighted_sum_that_the_paper_writes() -> None:
    made, x = layer(), batch(7)
    padded = torch.cat((x.row(0), torch.zeros(3, 4)))
    wanted = torch.stack([(made.conv.weight[:, 0].T * padded[t : t + 4]).sum(0) for t in range(7)])
    assert torch.allclose(made(x).row(0), wanted, atol=1e-6)


def test_it_begins_as_the_last_frame_that_it_sees() -> None:
    x = batch(9, 4)
    out = Lookahead(4, 3)(x)
    for row, frames in enumerate(x.lengths):
        assert torch.equal(out.row(row)[: frames - 3], x.row(row)[3:]) and not bool(
            out.row(row)[frames - 3 :].any()
        )


def test_a_row_is_the_same_alone_and_in_a_batch_and_padding_is_zero() -> None:
    made, x = layer(), batch(9, 4, 1)
    out = made(x)
    assert out.lengths == x.lengths and not bool(out.data[~out.mask].any())
    for index in range(3):
        assert torch.allclose(made(Seq.stack([x.row(index)], 25)).row(0), out.row(index), atol=1e-6)


def test_the_future_is_learnt_from_the_first_step_on() -> None:
    made = Lookahead(4, 3)
    made(batch(9, 4)).data.square().sum().backward()
    assert made.conv.weight.grad is not None and bool((made.conv.weight.grad != 0).all())


def test_no_future_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1 frame"):
        Lookahead(4, 0)
