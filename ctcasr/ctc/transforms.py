"""Tensors inside torch's function transforms (torch.func, forward mode), and their values."""

from __future__ import annotations

from typing import Any

import torch
import torch.autograd.forward_ad as forward_ad
from torch import Tensor

from ctcasr.ctc.errors import InputError

_functorch = torch._C._functorch


def is_transformed(tensor: Tensor) -> bool:
    """Whether a tensor is a transform's wrapper of another: no kernel can read its memory."""
    if _functorch.is_legacy_batchedtensor(tensor):  # of torch.autograd's vectorized functions
        return True
    return bool(_functorch.is_functorch_wrapped_tensor(tensor))


def has_tangent(tensor: Tensor) -> bool:
    """Whether forward-mode differentiation (dual numbers) goes through a tensor."""
    if forward_ad._current_level < 0:
        return False
    return forward_ad.unpack_dual(tensor).tangent is not None


def applied(function: type[torch.autograd.Function], *inputs: Any) -> Any:
    """`function.apply(*inputs)`, with no default left out.

    Torch's own looks for defaults in every call, which takes as long as a short row.
    """
    if torch._C._are_functorch_transforms_active() or torch.compiler.is_compiling():
        return function.apply(*inputs)  # type: ignore[no-untyped-call]
    inputs = torch._functorch.utils.unwrap_dead_wrappers(inputs)
    return super(torch.autograd.Function, function).apply(*inputs)  # type: ignore[misc]


def plain(tensor: Tensor, name: str) -> Tensor:
    """The integers that a transform has wrapped without changing them.

    Raises:
        InputError: torch.vmap goes over them, so that there is no one value to read.
    """
    while is_transformed(tensor):
        if _functorch.is_batchedtensor(tensor):
            raise InputError(
                f"{name} cannot differ under torch.vmap: the lattice reads them on the host; put "
                f"the vmapped dimension into the batch, or let vmap go over the logits alone"
            )
        tensor = _functorch.get_unwrapped(tensor)
    return tensor
