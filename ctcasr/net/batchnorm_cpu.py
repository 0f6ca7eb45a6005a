"""BatchNorm over real frames, and the clamp behind it, on a CPU.

torch reads and writes all frames once for each of: taking the real ones, statistics, BatchNorm,
activation, and putting them back. Behind a first convolution, whose output no cache holds, that
was an eighth of a training step.

Shape letters: B rows of a batch, T frames, F features, K chunks of frames, W numbers of a pattern.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from ctcasr.kernels.pool import run_together
from ctcasr.net.batchnorm_loops import gradient, measure, normalise, sum_gradients
from ctcasr.net.compiled import flat_array
from ctcasr.seq import Seq

_CHUNK = 8192  # numbers, which a first-level cache holds
_PATTERN = 512  # numbers that a loop runs over at a time, at least
_NUMBERS_OF_A_THREAD = 1 << 16  # for which waking another one pays


@dataclass(frozen=True)
class Statistics:
    """Mean and biased variance [F] of `count` frames."""

    mean: Tensor
    variance: Tensor
    count: int


def batch_norm(
    x: Seq, weight: Tensor, bias: Tensor, eps: float, within: tuple[float, float]
) -> tuple[Tensor, Statistics]:
    """Data [B, T, F] normalised by its own statistics and clamped; zero in the padding.

    In float32, of a row at least, and a real frame; equal to torch's but for rounding; the same
    bits for any number of threads; differentiable once.
    """
    rows = _Rows.of(x)
    statistics = rows.statistics()
    normed: Tensor = _BatchNorm.apply(x.data, weight, bias, rows, statistics, eps, within)
    return normed, statistics


@dataclass(frozen=True)
class _Rows:
    """Frames in memory, and how they are shared out."""

    data: Tensor  # [B, T, F], contiguous
    chunks: np.ndarray  # int64 [K, 3]: first real frame, after the last, after its padding

    @staticmethod
    def of(x: Seq) -> _Rows:
        """The frames of a batch; chunks do not depend on the number of threads."""
        _, frames, features = x.data.shape
        most = max(1, _CHUNK // features)
        parts = []
        for row, length in enumerate(x.lengths):
            end = row * frames + length
            starts = np.append(np.arange(row * frames, end, most), end)
            ends = np.append(starts[1:], end)
            padded_ends = np.append(starts[1:], (row + 1) * frames)
            parts.append(np.stack((starts, ends, padded_ends), axis=1))
        return _Rows(x.data.detach().contiguous(), np.concatenate(parts))

    @property
    def features(self) -> int:
        return self.data.shape[2]

    @property
    def pattern(self) -> int:
        """Numbers of a pattern: whole rows."""
        return self.features * math.ceil(_PATTERN / self.features)

    def patterns(self, *rows: Tensor) -> np.ndarray:
        """Rows of one number for each feature [F], repeated [N, W]."""
        repeated = torch.stack(rows).repeat(1, self.pattern // self.features)
        return repeated.detach().numpy()

    def sums(self, count: int) -> list[np.ndarray]:
        """Room for so many sums over chunks, each float32 [K, F]."""
        return [np.empty((len(self.chunks), self.features), np.float32) for _ in range(count)]

    def run(self, loop: Callable[..., None], *arguments: Any) -> None:
        """A loop over all chunks, shared out among threads."""
        most = math.ceil(self.data.numel() / _NUMBERS_OF_A_THREAD)
        threads = max(1, min(torch.get_num_threads(), most))
        bounds = np.linspace(0, len(self.chunks), threads + 1).astype(int)
        jobs = []
        for first, last in pairwise(bounds):
            share = (self.chunks, int(first), int(last), self.features)
            jobs.append((*share, flat_array(self.data), *arguments))
        run_together(loop, jobs, threads)

    def statistics(self) -> Statistics:
        """Of all real frames."""
        means, squares = self.sums(2)
        self.run(measure, means, squares, self.pattern)
        counts = (self.chunks[:, 1] - self.chunks[:, 0])[:, None]
        count = int(counts.sum())
        # Chunks are put together in double precision (Chan et al. 1983).
        mean = (means * counts).sum(0, dtype=np.float64) / count
        between = counts * np.square(means - mean)
        variance = (squares + between).sum(0, dtype=np.float64) / count
        return Statistics(_single(mean), _single(variance), count)


class _BatchNorm(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        data: Tensor,
        weight: Tensor,
        bias: Tensor,
        rows: _Rows,
        statistics: Statistics,
        eps: float,
        within: tuple[float, float],
    ) -> Tensor:
        inverse_deviation = torch.rsqrt(statistics.variance + eps)
        scale = weight * inverse_deviation
        shift = bias - statistics.mean * scale
        bounds = (np.float32(within[0]), np.float32(within[1]))
        out = torch.empty_like(rows.data)
        rows.run(normalise, rows.patterns(scale, shift), *bounds, flat_array(out))
        ctx.save_for_backward(rows.data, scale, shift, inverse_deviation)
        ctx.chunks = rows.chunks
        ctx.statistics = statistics
        ctx.bounds = bounds
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Any, ...]:
        data, scale, shift, inverse_deviation = ctx.saved_tensors
        statistics: Statistics = ctx.statistics
        mean = statistics.mean
        rows = _Rows(data, ctx.chunks)
        flat_upstream = flat_array(upstream.contiguous())
        sums, products = rows.sums(2)
        patterns = rows.patterns(scale, shift, mean)
        rows.run(sum_gradients, flat_upstream, patterns, *ctx.bounds, sums, products)
        to_bias = _single(sums.sum(0, dtype=np.float64))
        to_weight = _single(products.sum(0, dtype=np.float64)) * inverse_deviation
        to_data = None
        if ctx.needs_input_grad[0]:
            slope = -scale * inverse_deviation * to_weight / statistics.count
            offset = -scale * to_bias / statistics.count
            patterns = rows.patterns(scale, shift, mean, slope, offset)
            to_data = torch.empty_like(data)
            rows.run(gradient, flat_upstream, patterns, *ctx.bounds, flat_array(to_data))
        return to_data, to_weight, to_bias, None, None, None, None


def _single(numbers: np.ndarray) -> Tensor:
    """Numbers as a tensor in single precision."""
    return torch.from_numpy(numbers.astype(np.float32))
