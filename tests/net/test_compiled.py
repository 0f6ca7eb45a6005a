"""Loops of our own step back where somebody looks at what torch does."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ctcasr.net.compiled import has_hooks, may_compile


def test_only_float32_on_the_cpu_that_is_no_subclass() -> None:
    class Watched(Tensor):
        pass

    plain = torch.zeros(2)
    assert may_compile(plain, nn.Parameter(plain))
    assert not may_compile(plain, plain.double())
    assert not may_compile(plain.as_subclass(Watched))
    assert not may_compile(torch.zeros(2, device="meta"))


def test_not_under_autocast_a_trace_or_a_transform() -> None:
    seen = []

    def look(tensor: Tensor) -> Tensor:
        seen.append(may_compile(tensor))
        return tensor.sum()

    with torch.autocast("cpu", torch.bfloat16):
        look(torch.zeros(2))
    torch.jit.trace(look, torch.zeros(2), check_trace=False)
    torch.func.grad(look)(torch.zeros(2))
    assert seen == [False, False, False]


def test_hooks_are_seen() -> None:
    listened, plain = nn.ReLU(), nn.ReLU()
    assert not has_hooks(listened, plain)
    handle = listened.register_forward_hook(lambda *_: None)
    assert has_hooks(plain, listened)
    handle.remove()
    assert not has_hooks(plain, listened)
    handle = listened.register_full_backward_hook(lambda *_: None)
    assert has_hooks(plain, listened)
