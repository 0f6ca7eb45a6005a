"""Decoded samples of a small corpus, kept in memory."""

from __future__ import annotations

from collections.abc import Hashable

import torch
from torch import Tensor

_FULL_SCALE = 32768.0


class SampleCache:
    """Samples [N] float32 by key, up to `budget_bytes`; 16-bit sound stays 16 bits. Pickled empty: one per process."""

    def __init__(self, budget_bytes: int = 1 << 30) -> None:
        self.budget_bytes = budget_bytes
        self.used_bytes = 0
        self._kept: dict[Hashable, Tensor] = {}

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: Hashable) -> Tensor | None:
        """A fresh copy of what was put, to the bit; None where it was not kept."""
        kept = self._kept.get(key)
        if kept is None:
            return None
        return (
            kept.clone()
            if kept.dtype == torch.float32
            else kept.to(torch.float32).div_(_FULL_SCALE)
        )

    def put(self, key: Hashable, samples: Tensor) -> None:
        """Keep a copy, unless the budget is spent."""
        if key in self._kept or self.used_bytes >= self.budget_bytes:
            return
        scaled = samples * _FULL_SCALE
        short = scaled.clamp(-_FULL_SCALE, _FULL_SCALE - 1).to(torch.int16)
        kept = short if torch.equal(short.to(torch.float32), scaled) else samples.clone()
        size = kept.numel() * kept.element_size()
        if self.used_bytes + size <= self.budget_bytes:
            self._kept[key] = kept
            self.used_bytes += size

    def __getstate__(self) -> dict[str, int]:
        return {"budget_bytes": self.budget_bytes}

    def __setstate__(self, state: dict[str, int]) -> None:
        self.__init__(state["budget_bytes"])  # type: ignore[misc]
