"""What is inside a transform of torch is known as such."""

from __future__ import annotations

import pytest
import torch
import torch.autograd.forward_ad as forward_ad

from ctcasr.ctc import InputError
from ctcasr.ctc.transforms import has_tangent, is_transformed, plain


def test_wrapped_tensors_are_recognised_and_integers_unwrapped():
    seen = []

    def look(x, labels):
        seen.append((is_transformed(x), plain(labels, "labels").tolist()))
        return x.sum()

    torch.func.grad(look)(torch.ones(2), torch.tensor([1, 2]))
    look(torch.ones(2), torch.tensor([1, 2]))
    assert seen == [(True, [1, 2]), (False, [1, 2])]


def test_what_vmap_goes_over_has_no_one_value():
    with pytest.raises(InputError, match="labels cannot differ"):
        torch.vmap(lambda labels: plain(labels, "labels"))(torch.tensor([1, 2]))


def test_tangents_are_seen_only_where_there_are_any():
    x = torch.ones(2)
    assert not has_tangent(x)
    with forward_ad.dual_level():
        assert has_tangent(forward_ad.make_dual(x, x)) and not has_tangent(x)
