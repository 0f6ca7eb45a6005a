"""Heads for an aligner's states: each frame by itself, twice."""

from __future__ import annotations

import torch

from ctcasr.net import StateHeads
from ctcasr.seq import Seq


def test_each_frame_is_told_from_its_own_inputs_alone() -> None:
    torch.manual_seed(0)
    heads = StateHeads(convolved=6, hidden=4, states=9)
    convolved = Seq.stack([torch.randn(5, 6), torch.randn(3, 6)], rate=25)
    hidden = Seq.stack([torch.randn(5, 4), torch.randn(3, 4)], rate=25)
    early, late = heads(convolved, hidden)
    assert early.lengths == late.lengths == (5, 3)
    assert early.data.shape == late.data.shape == (2, 5, 9)
    assert torch.allclose(early.data[1, 2], heads.early(convolved.data[1, 2]), atol=1e-6)
    assert torch.allclose(late.data[0, 4], heads.late(hidden.data[0, 4]), atol=1e-6)
