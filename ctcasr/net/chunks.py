"""Overlapping chunks of a sequence, and normalisation over all (or all past) of an utterance.

Shape letters: B utterances, T frames, S chunks, K frames of a chunk, F features.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from ctcasr.seq import Seq


@dataclass(frozen=True)
class Chunking:
    """Chunks of `size` frames, half overlapping.

    Half a chunk of zeros lies before the sequence and at least that behind it.

    Raises:
        ValueError: for an odd size.

    Example:
        >>> frames = Seq.stack([torch.ones(5, 1)], rate=100)
        >>> chunks = Chunking(4).cut(frames)
        >>> chunks.data.shape
        torch.Size([1, 4, 4, 1])
        >>> Chunking(4).join(chunks, frames).data.flatten()
        tensor([2., 2., 2., 2., 2.])
    """

    size: int

    def __post_init__(self) -> None:
        if self.size < 2 or self.size % 2:
            raise ValueError(f"expected chunks of an even number of frames; got {self.size}")

    @property
    def hop(self) -> int:
        """Frames from one chunk to the next."""
        return self.size // 2

    def count(self, frames: int) -> int:
        """Chunks of so many frames: always even, so that all padding is covered twice."""
        if not frames:
            return 0
        return 2 * math.ceil((frames + self.hop) / self.size)

    def cut(self, x: Seq) -> Seq:
        """Chunks [B, S, K, F] of frames [B, T, F] whose padding is zero."""
        frames = x.data.shape[1]
        behind = self.count(frames) * self.hop - frames
        padded = functional.pad(x.data, (0, 0, self.hop, behind))
        chunks = padded.unfold(1, self.size, self.hop).transpose(2, 3)
        lengths = tuple(self.count(length) for length in x.lengths)
        return Seq(chunks, lengths, x.rate / self.hop)

    def join(self, chunks: Seq, like: Seq) -> Seq:
        """Chunks [B, S, K, F] added up where they lie, for the frames of `like` [B, T, F]."""
        total = self._overlap_add(chunks.data)
        end = self.hop + like.data.shape[1]
        return like.with_data(total[:, self.hop : end])

    def sums_so_far(self, x: Tensor) -> Tensor:
        """For each place of chunks [B, S, K, F] the sum over all places that are not later.

        In whichever chunk they lie.
        """
        sums = self._overlap_add(x).cumsum(1)
        return sums.unfold(1, self.size, self.hop).transpose(2, 3)

    def _overlap_add(self, x: Tensor) -> Tensor:
        first_halves = x[:, :, : self.hop]
        second_halves = x[:, :, self.hop :]
        ahead = functional.pad(first_halves, (0, 0, 0, 0, 0, 1))
        behind = functional.pad(second_halves, (0, 0, 0, 0, 1, 0))
        return (ahead + behind).flatten(1, 2)


class GlobalNorm(nn.Module):
    """Mean zero and variance one over time and channels of each utterance.

    GroupNorm of one group (Wu and He 2018), over real elements only.

    Example:
        >>> frames = Seq.stack([torch.tensor([[1.0], [3.0]])], rate=100)
        >>> GlobalNorm(1)(frames).data.flatten().tolist()
        [-0.999..., 0.999...]
    """

    def __init__(self, features: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(features))
        self.bias = nn.Parameter(torch.zeros(features))

    def forward(self, x: Seq, chunking: Chunking | None = None) -> Seq:
        """Data [B, T, ..., F] whose padding is zero, normalised; `chunking` changes nothing."""
        data = x.data
        axes = tuple(range(1, data.dim()))
        frame_size = math.prod(data.shape[2:])
        counts = x.device_lengths.clamp(min=1) * frame_size
        counts = counts.to(data.dtype)
        counts = counts.reshape(-1, *[1] * len(axes))
        mean = data.sum(axes, keepdim=True) / counts
        centred = x.with_data(data - mean).zero_padding().data
        variance = centred.square().sum(axes, keepdim=True) / counts
        normed = centred * torch.rsqrt(variance + self.eps)
        scaled = normed * self.weight + self.bias
        return x.with_data(scaled).zero_padding()


class CumulativeNorm(nn.Module):
    """Mean zero and variance one over channels and all time that has passed.

    Luo and Mesgarani 2019, arXiv 1809.07454; looks at nothing that comes.

    Example:
        >>> frames = Seq.stack([torch.tensor([[1.0, 3.0], [9.0, 9.0]])], rate=100)
        >>> CumulativeNorm(2)(frames).data[0, 0].tolist()
        [-0.999..., 0.999...]
    """

    def __init__(self, features: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(features))
        self.bias = nn.Parameter(torch.zeros(features))

    def forward(self, x: Seq, chunking: Chunking | None = None) -> Seq:
        """Frames [B, T, F], or with `chunking` chunks [B, S, K, F], normalised.

        Padding is zero before and after.
        """
        data = x.data
        sums = data.sum(-1)
        squares = data.square().sum(-1)
        counts = torch.full_like(sums, data.shape[-1])
        # In double precision: these are differences of large sums.
        moments = torch.stack((sums, squares, counts), -1).double()
        if chunking is None:
            moments = moments.cumsum(1)
        else:
            moments = chunking.sums_so_far(moments)
        sums, squares, counts = moments.unbind(-1)
        mean = sums / counts
        power = squares / counts
        variance = (power - mean.square()).clamp(min=0)
        scale = torch.rsqrt(variance + self.eps)
        centred = data - mean.to(data.dtype)[..., None]
        normed = centred * scale.to(data.dtype)[..., None]
        scaled = normed * self.weight + self.bias
        return x.with_data(scaled).zero_padding()


class Product(nn.Module):
    """Element by element, as a layer of its own, so that it can be counted."""

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """a x b."""
        return a * b
