"""Overlapping chunks of a sequence, and normalisation over all that was heard (or was heard so far)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from ctcasr.seq import Seq


@dataclass(frozen=True)
class Chunking:
    """Chunks of `size` frames, half overlapping, of a sequence with half a chunk of zeros before it and at least that behind it."""

    size: int

    def __post_init__(self) -> None:
        if self.size < 2 or self.size % 2:
            raise ValueError(f"expected chunks of an even number of frames; got {self.size}")

    @property
    def hop(self) -> int:
        return self.size // 2

    def count(self, frames: int) -> int:
        """Chunks of so many frames: always even, so that both halves of the padding are covered twice."""
        return 2 * math.ceil((frames + self.hop) / self.size) if frames else 0

    def cut(self, x: Seq) -> Seq:
        """Chunks [B, S, size, F] of frames [B, T, F] whose padding is zero."""
        count = self.count(x.data.shape[1])
        padded = functional.pad(x.data, (0, 0, self.hop, count * self.hop - x.data.shape[1]))
        chunks = padded.unfold(1, self.size, self.hop).transpose(2, 3)
        return Seq(chunks, tuple(self.count(n) for n in x.lengths), x.rate / self.hop)

    def join(self, chunks: Seq, like: Seq) -> Seq:
        """Chunks [B, S, size, F] added up where they lie, for the frames of `like` [B, T, F]."""
        total = self._add(chunks.data)
        return like.with_data(total[:, self.hop : self.hop + like.data.shape[1]])

    def so_far(self, x: Tensor) -> Tensor:
        """For each place of chunks [B, S, size, F] the sum over all places that are not later, in whichever chunk they lie."""
        return self._add(x).cumsum(1).unfold(1, self.size, self.hop).transpose(2, 3)

    def _add(self, x: Tensor) -> Tensor:
        first, second = x[:, :, : self.hop], x[:, :, self.hop :]
        blocks = functional.pad(first, (0, 0, 0, 0, 0, 1)) + functional.pad(
            second, (0, 0, 0, 0, 1, 0)
        )
        return blocks.flatten(1, 2)


class GlobalNorm(nn.Module):
    """Mean zero and variance one over time and channels of each utterance (GroupNorm of one group), over its real elements only."""

    def __init__(self, features: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.eps = eps
        self.weight, self.bias = (
            nn.Parameter(torch.ones(features)),
            nn.Parameter(torch.zeros(features)),
        )

    def forward(self, x: Seq, chunking: Chunking | None = None) -> Seq:
        """Data [B, T, ..., F] whose padding is zero, normalised."""
        shape = (-1, *[1] * (x.data.dim() - 1))
        dims = tuple(range(1, x.data.dim()))
        count = (
            (x.device_lengths.clamp(min=1) * math.prod(x.data.shape[2:]))
            .to(x.data.dtype)
            .reshape(shape)
        )
        mean = x.data.sum(dims, keepdim=True) / count
        centred = x.with_data(x.data - mean).zero_padding().data
        variance = centred.square().sum(dims, keepdim=True) / count
        return x.with_data(
            centred * torch.rsqrt(variance + self.eps) * self.weight + self.bias
        ).zero_padding()


class CumulativeNorm(nn.Module):
    """Mean zero and variance one over channels and all time that has passed (Luo and Mesgarani 2019); looks at nothing that comes."""

    def __init__(self, features: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.eps = eps
        self.weight, self.bias = (
            nn.Parameter(torch.ones(features)),
            nn.Parameter(torch.zeros(features)),
        )

    def forward(self, x: Seq, chunking: Chunking | None = None) -> Seq:
        """Frames [B, T, F], or with `chunking` chunks [B, S, K, F], normalised; padding is zero before and after."""
        ones = torch.full_like(x.data[..., 0], x.data.shape[-1])
        sums = torch.stack(
            (x.data.sum(-1), x.data.square().sum(-1), ones), -1
        ).double()  # differences of large sums
        sums = sums.cumsum(1) if chunking is None else chunking.so_far(sums)
        mean, power = (sums[..., :2] / sums[..., 2:]).unbind(-1)
        scale = torch.rsqrt((power - mean.square()).clamp(min=0) + self.eps)
        normed = (x.data - mean[..., None].to(x.data.dtype)) * scale[..., None].to(x.data.dtype)
        return x.with_data(normed * self.weight + self.bias).zero_padding()


class Product(nn.Module):
    """Element by element, as a layer of its own, so that it can be counted."""

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """a x b."""
        return a * b
