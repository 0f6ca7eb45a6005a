"""Dropout whose masks come quickly on a CPU."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

_STEPS = 1 << 16  # a mask is drawn in 16 bits: the share that is dropped is off by 0.00001 at most
_LEAST_INT64 = -(1 << 63)
_PER_DRAW = 4  # elements that one draw of 64 bits serves


class Dropout(nn.Dropout):
    """torch's Dropout (Srivastava et al. 2014); on a CPU in a third of its time.

    There one draw of 64 bits serves four elements.

    Example:
        >>> Dropout(0.5).eval()(torch.ones(3))
        tensor([1., 1., 1.])
    """

    def forward(self, x: Tensor) -> Tensor:
        """`x` with a share `p` of its elements zero, the others times 1 / (1 - p); in training."""
        dropped = round(self.p * _STEPS)
        drops_some = self.training and 0 < dropped < _STEPS
        if not drops_some or self.inplace or not x.is_cpu or _is_traced():
            return super().forward(x)
        count = x.numel()
        draws = math.ceil(count / _PER_DRAW)
        bits = torch.empty(draws, dtype=torch.int64)
        bits.random_(_LEAST_INT64, None)
        levels = bits.view(torch.int16)[:count]
        lowest_surviving = dropped - _STEPS // 2
        surviving = levels >= lowest_surviving
        scale = _STEPS / (_STEPS - dropped)
        factors = surviving.view(x.shape).to(x.dtype)
        return x * factors.mul_(scale)


def _is_traced() -> bool:
    """Whether somebody writes down what is computed, who should see torch's own layers."""
    exporting = torch.compiler.is_compiling() or torch.onnx.is_in_onnx_export()
    tracing: bool = torch.jit.is_tracing()  # type: ignore[attr-defined,unused-ignore]
    return tracing or exporting
