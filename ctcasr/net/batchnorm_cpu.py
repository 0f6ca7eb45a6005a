"""BatchNorm over real frames, and the clamp behind it, on a CPU; over several processes, too.

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
from ctcasr.net.batchnorm import WorldSum
from ctcasr.net.batchnorm_loops import gradient, measure, normalise, sum_gradients
from ctcasr.net.compiled import flat_array
from ctcasr.seq import Seq

_CHUNK = 8192  # numbers, which a first-level cache holds
_PATTERN = 512  # numbers that a loop runs over at a time, at least
_NUMBERS_OF_A_THREAD = 1 << 16  # for which waking another one pays


@dataclass(frozen=True)
class Statistics:
    """Mean and biased variance [F] of `count` frames; of no frames: constants."""

    mean: Tensor
    variance: Tensor
    count: int

    @property
    def weight(self) -> float:
        """How far a frame moves the mean."""
        return 1 / self.count if self.count else 0.0


@dataclass(frozen=True)
class Measuring:
    """How data is measured: by itself, or with that of other processes.

    Fewer than two frames have no variance: they are seen by `constant`.
    """

    constant: Statistics
    world_sum: WorldSum | None = None


def batch_norm(
    x: Seq,
    weight: Tensor,
    bias: Tensor,
    eps: float,
    within: tuple[float, float],
    measuring: Measuring,
) -> tuple[Tensor, Statistics]:
    """Data [B, T, F] normalised by its own statistics and clamped; zero in the padding.

    In float32, of a row at least; equal to torch's but for rounding; the same bits for any number
    of threads; differentiable once. With `world_sum` each process makes one sum on the way there
    and one on the way back, whatever its share.
    """
    rows = _Rows.of(x)
    statistics = rows.statistics()
    if measuring.world_sum is not None:
        statistics = _over_all(statistics, measuring.world_sum)
    if statistics.count < 2:
        statistics = measuring.constant
    how = _How(statistics, eps, within, measuring.world_sum)
    normed: Tensor = _BatchNorm.apply(x.data, weight, bias, rows, how)
    return normed, statistics


def _over_all(own: Statistics, world_sum: WorldSum) -> Statistics:
    """Statistics of the frames of all processes."""
    # In double precision squares around zero are as good as those around the mean, which would
    # have to be added up first.
    mean = own.mean.double()
    squares = own.variance.double() + mean.square()
    count = mean.new_full((1,), own.count)
    world = world_sum(torch.cat((count * mean, count * squares, count)))
    world_count = int(world[-1])
    world_mean, world_squares = world[:-1].div(max(1, world_count)).chunk(2)
    variance = (world_squares - world_mean.square()).clamp_min(0.0)
    return Statistics(world_mean.float(), variance.float(), world_count)


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
        divisor = max(1, count)
        # Chunks are put together in double precision (Chan et al. 1983).
        mean = (means * counts).sum(0, dtype=np.float64) / divisor
        between = counts * np.square(means - mean)
        variance = (squares + between).sum(0, dtype=np.float64) / divisor
        return Statistics(_single(mean), _single(variance), count)


@dataclass(frozen=True)
class _How:
    """What a pass needs besides data and parameters."""

    statistics: Statistics
    eps: float
    within: tuple[float, float]
    world_sum: WorldSum | None

    @property
    def bounds(self) -> tuple[np.float32, np.float32]:
        least, most = self.within
        return np.float32(least), np.float32(most)

    def over_all(self, sums: Tensor) -> Tensor:
        """The sums of all processes."""
        return sums if self.world_sum is None else self.world_sum(sums)


class _BatchNorm(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, data: Tensor, weight: Tensor, bias: Tensor, rows: _Rows, how: _How
    ) -> Tensor:
        statistics = how.statistics
        inverse_deviation = torch.rsqrt(statistics.variance + how.eps)
        scale = weight * inverse_deviation
        shift = bias - statistics.mean * scale
        out = torch.empty_like(rows.data)
        rows.run(normalise, rows.patterns(scale, shift), *how.bounds, flat_array(out))
        ctx.save_for_backward(rows.data, scale, shift, inverse_deviation)
        ctx.chunks = rows.chunks
        ctx.how = how
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Any, ...]:
        data, scale, shift, inverse_deviation = ctx.saved_tensors
        how: _How = ctx.how
        statistics = how.statistics
        mean = statistics.mean
        rows = _Rows(data, ctx.chunks)
        flat_upstream = flat_array(upstream.contiguous())
        sums, products = rows.sums(2)
        patterns = rows.patterns(scale, shift, mean)
        rows.run(sum_gradients, flat_upstream, patterns, *how.bounds, sums, products)
        own = torch.from_numpy(np.stack((sums, products)).sum(1, dtype=np.float64))
        to_bias, to_weight = _scaled(own, inverse_deviation)
        world_to_bias, world_to_weight = _scaled(how.over_all(own), inverse_deviation)
        to_data = None
        if ctx.needs_input_grad[0]:
            slope = -scale * inverse_deviation * world_to_weight * statistics.weight
            offset = -scale * world_to_bias * statistics.weight
            patterns = rows.patterns(scale, shift, mean, slope, offset)
            to_data = torch.empty_like(data)
            rows.run(gradient, flat_upstream, patterns, *how.bounds, flat_array(to_data))
        return to_data, to_weight, to_bias, None, None


def _scaled(sums: Tensor, inverse_deviation: Tensor) -> tuple[Tensor, Tensor]:
    """Gradients of bias and weight [F] by sums [2, F] of gradients, and of their products."""
    to_bias, products = sums.float().unbind()
    return to_bias, products * inverse_deviation


def _single(numbers: np.ndarray) -> Tensor:
    """Numbers as a tensor in single precision."""
    return torch.from_numpy(numbers.astype(np.float32))
