"""Memory of a gradient's size on the CPU."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

_KINDS = {torch.float32: np.float32, torch.float64: np.float64}


def fresh(shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    """An uninitialised tensor on the host.

    Numpy asks the operating system for huge pages, torch does not: touching 100 MB for the first
    time then costs a fifth as much.
    """
    if dtype in _KINDS:
        return torch.from_numpy(np.empty(shape, _KINDS[dtype]))
    return torch.empty(shape, dtype=dtype)
