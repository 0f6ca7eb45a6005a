"""Decoded samples of a small corpus, kept in memory."""

from __future__ import annotations

from collections.abc import Hashable

import torch
from torch import Tensor

_FULL_SCALE = 32768.0  # of 16 bits
_GIBIBYTE = 1 << 30


class SampleCache:
    """Samples [N] float32 by key, up to `budget_bytes`; 16-bit sound stays 16 bits.

    Pictures [T, H, W] uint8 stay as they are.

    Pickled empty: each process fills its own.

    Example:
        >>> cache = SampleCache()
        >>> cache.put("a.wav", torch.tensor([0.5, -0.5]))
        >>> cache.get("a.wav"), cache.used_bytes
        (tensor([ 0.5000, -0.5000]), 4)
    """

    def __init__(self, budget_bytes: int = _GIBIBYTE) -> None:
        self.budget_bytes = budget_bytes
        self.used_bytes = 0
        self._stored: dict[Hashable, Tensor] = {}

    def __len__(self) -> int:
        return len(self._stored)

    def get(self, key: Hashable) -> Tensor | None:
        """A fresh copy of what was put, to the bit; None where it is not stored."""
        stored = self._stored.get(key)
        if stored is None:
            return None
        if stored.dtype != torch.int16:
            return stored.clone()
        return stored.to(torch.float32).div_(_FULL_SCALE)

    def put(self, key: Hashable, samples: Tensor) -> None:
        """Store a copy, unless the budget is spent."""
        if key in self._stored or self.used_bytes >= self.budget_bytes:
            return
        stored = _packed(samples)
        size = stored.numel() * stored.element_size()
        if self.used_bytes + size <= self.budget_bytes:
            self._stored[key] = stored
            self.used_bytes += size

    def __getstate__(self) -> dict[str, int]:
        return {"budget_bytes": self.budget_bytes}

    def __setstate__(self, state: dict[str, int]) -> None:
        self.budget_bytes = state["budget_bytes"]
        self.used_bytes = 0
        self._stored = {}


def _packed(samples: Tensor) -> Tensor:
    """A copy, of float32 in 16 bits where these hold it to the bit."""
    if samples.dtype == torch.float32:
        scaled = samples * _FULL_SCALE
        packed = scaled.clamp(-_FULL_SCALE, _FULL_SCALE - 1).to(torch.int16)
        if torch.equal(packed.to(torch.float32), scaled):
            return packed
    return samples.clone()
