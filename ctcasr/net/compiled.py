"""Whether loops of our own may do the work of torch's layers, and what they are given."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn


def may_compile(*tensors: Tensor) -> bool:
    """Whether these are float32 on the CPU, and nobody looks at what torch does to them.

    Example:
        >>> may_compile(torch.zeros(3)), may_compile(torch.zeros(3, dtype=torch.float64))
        (True, False)
    """
    if torch.is_autocast_enabled("cpu") or not all(map(_is_plain, tensors)):
        return False
    exporting = torch.compiler.is_compiling() or torch.onnx.is_in_onnx_export()
    tracing: bool = torch.jit.is_tracing()  # type: ignore[attr-defined,unused-ignore]
    return not exporting and not tracing


def product_dtype(data: Tensor, instructions: str) -> torch.dtype:
    """The type of the factors of products with `data`.

    bfloat16 for float32 on a processor that has `instructions` (of
    `torch.cpu.get_capabilities`), under `torch.set_float32_matmul_precision("medium")`.

    Example:
        >>> product_dtype(torch.zeros(3), "amx_bf16")
        torch.float32
    """
    may_round = torch.get_float32_matmul_precision() == "medium"
    if may_round and may_compile(data) and torch.cpu.get_capabilities().get(instructions):
        return torch.bfloat16
    return data.dtype


def has_hooks(*modules: nn.Module) -> bool:
    """Whether somebody listens to the calls of one of these, which then must be made.

    Example:
        >>> has_hooks(nn.ReLU())
        False
    """
    for module in modules:
        forward = module._forward_hooks or module._forward_pre_hooks
        backward = module._backward_hooks or module._backward_pre_hooks
        if forward or backward:
            return True
    return False


def flat_array(tensor: Tensor) -> np.ndarray:
    """A tensor's numbers for compiled code, which shares them.

    Example:
        >>> flat_array(torch.zeros(2, 3)).shape
        (6,)
    """
    array: np.ndarray = tensor.detach().numpy()
    return array.reshape(-1)


def _is_plain(tensor: Tensor) -> bool:
    """A float32 tensor on the CPU: no subclass, and none that torch.func has wrapped."""
    if type(tensor) not in (Tensor, nn.Parameter):
        return False
    if torch._C._functorch.is_functorch_wrapped_tensor(tensor):
        return False
    return tensor.is_cpu and tensor.dtype == torch.float32
