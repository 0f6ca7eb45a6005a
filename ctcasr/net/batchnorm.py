"""Batch normalisation over the real frames of padded sequences, and over several processes."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm

from ctcasr.net.compiled import has_hooks, may_compile
from ctcasr.seq import Seq

_LEAST_COMPILED = 1 << 19  # numbers; torch's way through a cache is as fast
WorldSum = Callable[[Tensor], Tensor]  # the sum of a tensor over all processes, differentiable


class SequenceBatchNorm(nn.Module):
    """BatchNorm of data [B, T, F] over all real frames (Ioffe and Szegedy 2015).

    Padding is neither counted nor touched: it stays zero. With `world_sum`, the statistics are
    those of the batch that several processes share; one that has no frames of it joins in.

    Example:
        >>> norm = SequenceBatchNorm(1)
        >>> frames = Seq.stack([torch.tensor([[1.0], [3.0]]), torch.tensor([[5.0]])], rate=100)
        >>> norm(frames).data[:, :, 0].tolist()[1][1]
        0.0
    """

    running_mean: Tensor
    running_var: Tensor
    world_sum: WorldSum | None = None

    def __init__(self, features: int, momentum: float = 0.1, eps: float = 1e-5) -> None:
        super().__init__()
        self.momentum = momentum
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(features))
        self.bias = nn.Parameter(torch.zeros(features))
        self.register_buffer("running_mean", torch.zeros(features))
        self.register_buffer("running_var", torch.ones(features))

    def forward(self, x: Seq) -> Seq:
        """Normalised data [B, T, F]: by the batch in training, else by the running statistics."""
        if self._can_compile(x):
            return self.compiled(x)
        alone = self.world_sum is None
        # A single frame has no variance: it is seen as in evaluation.
        has_variance = not alone or sum(x.lengths) > 1
        if not (self.training and has_variance):
            return self._normalise(x, self.running_mean, self.running_var)
        if alone and self._can_fuse(x.data):
            return self._fused(x)
        x = x.zero_padding()
        mean, variance = self._measure(x)
        return self._normalise(x, mean, variance)

    def clamped(self, x: Seq, activation: nn.ReLU | nn.Hardtanh) -> Seq:
        """The same with an activation behind it."""
        if has_hooks(self, activation) or not self._can_compile(x):
            normed = self(x)
            return normed.with_data(activation(normed.data))
        if isinstance(activation, nn.ReLU):
            return self.compiled(x, (0.0, math.inf))
        return self.compiled(x, (activation.min_val, activation.max_val))

    def compiled(self, x: Seq, within: tuple[float, float] = (-math.inf, math.inf)) -> Seq:
        """The same in training by loops of our own, and clamped: fewer ways through memory."""
        # It brings numba, which takes a while to load.
        from ctcasr.net.batchnorm_cpu import Measuring, Statistics, batch_norm

        running = Statistics(self.running_mean.clone(), self.running_var.clone(), count=0)
        measuring = Measuring(running, self.world_sum)
        data, measured = batch_norm(x, self.weight, self.bias, self.eps, within, measuring)
        if measured.count:
            unbiased = measured.count / (measured.count - 1)
            with torch.no_grad():
                self.running_mean.lerp_(measured.mean, self.momentum)
                self.running_var.lerp_(measured.variance * unbiased, self.momentum)
        return x.with_data(data)

    def _can_compile(self, x: Seq) -> bool:
        """Whether the compiled loops may do it: several processes agree, whatever their shares."""
        if not self.training or not may_compile(x.data, self.weight, self.bias, self.running_mean):
            return False
        return self.world_sum is not None or x.data.numel() >= _LEAST_COMPILED

    def _normalise(self, x: Seq, mean: Tensor, variance: Tensor) -> Seq:
        """Data [B, T, F] by statistics [F], then scaled and shifted as learnt."""
        inverse_deviation = torch.rsqrt(variance + self.eps)
        scale = self.weight * inverse_deviation
        shift = self.bias - mean * scale
        normed = x.with_data(x.data * scale + shift)
        return normed.zero_padding()

    def _can_fuse(self, data: Tensor) -> bool:
        """Whether torch's fused BatchNorm can take the data."""
        same_type = data.dtype == self.running_mean.dtype
        # Autocast brings rounded data there; statistics and output stay single.
        return (data.is_cpu and same_type) or data.is_cuda

    def _fused(self, x: Seq) -> Seq:
        """The same by torch's fused BatchNorm over the real frames laid side by side."""
        frames = x.real().to(self.running_mean.dtype)
        if frames.is_cuda:
            return x.with_real(self._batch_norm_on_cuda(frames))
        return x.with_real(self._batch_norm(frames))

    def _batch_norm_on_cuda(self, frames: Tensor) -> Tensor:
        """The same of frames [P, F] by torch's own kernel.

        It shares the frames out among all processors; cuDNN's for rows takes features one by one.
        """
        normed: Tensor = torch.native_batch_norm(
            frames,
            self.weight,
            self.bias,
            self.running_mean,
            self.running_var,
            True,
            self.momentum,
            self.eps,
        )[0]
        return normed

    def _batch_norm(self, frames: Tensor) -> Tensor:
        """Frames [P, F] normalised by their own statistics, which move the running ones."""
        return functional.batch_norm(
            frames,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            training=True,
            momentum=self.momentum,
            eps=self.eps,
        )

    def _measure(self, x: Seq) -> tuple[Tensor, Tensor]:
        """Mean and (biased) variance [F] of the real frames.

        They also move the running statistics (the variance as an unbiased one).
        """
        data = x.data.to(self.running_mean.dtype)  # sums of half precision are taken in single

        def squares(mean: Tensor) -> Tensor:
            centred = x.with_data(data - mean).zero_padding().data
            return centred.square().sum((0, 1))

        sums = data.sum((0, 1))
        count = sum(x.lengths)
        if self.world_sum is not None:
            return _measure_over_all(self, self.world_sum, sums, count, squares, self.momentum)
        mean = sums / count
        variance = squares(mean) / count
        unbiased = count / (count - 1)
        with torch.no_grad():
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * unbiased, self.momentum)
        return mean, variance


def normalise_over_all(norm: _BatchNorm, world_sum: WorldSum, x: Tensor) -> Tensor:
    """What torch's BatchNorm `norm` makes of data [B, C, ...] that several processes share.

    In training by the statistics of the whole batch, in evaluation as ever.

    Raises:
        ValueError: for a BatchNorm without running statistics or momentum.

    Example:
        >>> data = torch.tensor([[1.0], [3.0]])
        >>> alone = normalise_over_all(nn.BatchNorm1d(1), lambda tensor: tensor, data)
        >>> torch.allclose(alone, nn.BatchNorm1d(1)(data))
        True
    """
    if not norm.training:
        return type(norm).forward(norm, x)
    if norm.running_mean is None or norm.momentum is None:
        raise ValueError(
            "expected a BatchNorm with running statistics and a momentum, for several processes; "
            f"got {norm}"
        )
    inner_axes = x.dim() - 2
    other_axes = [0, *range(2, x.dim())]
    per_channel = [1, -1] + [1] * inner_axes
    data = x.to(norm.running_mean.dtype)

    def squares(mean: Tensor) -> Tensor:
        centred = data - mean.view(per_channel)
        return centred.square().sum(other_axes)

    sums = data.sum(other_axes)
    count = x.numel() // x.shape[1]
    mean, variance = _measure_over_all(norm, world_sum, sums, count, squares, norm.momentum)
    if norm.num_batches_tracked is not None:
        norm.num_batches_tracked.add_(1)
    scale = torch.rsqrt(variance + norm.eps)
    if norm.weight is not None:
        scale = scale * norm.weight
    shift = -mean * scale
    if norm.bias is not None:
        shift = norm.bias - mean * scale
    scale = scale.view(per_channel)
    shift = shift.view(per_channel)
    return x * scale + shift


def _measure_over_all(
    norm: SequenceBatchNorm | _BatchNorm,
    world_sum: WorldSum,
    sums: Tensor,
    count: int,
    squares: Callable[[Tensor], Tensor],
    momentum: float,
) -> tuple[Tensor, Tensor]:
    """Mean and (biased) variance [F] over all processes; those of nothing are the running ones.

    This process has `sums` [F] of `count` elements, and `squares` around a mean.
    """
    running_mean = norm.running_mean
    running_var = norm.running_var
    assert running_mean is not None and running_var is not None
    own_count = sums.new_full((1,), count)
    world = world_sum(torch.cat((sums, own_count)))
    world_sums = world[:-1]
    world_count = world[-1].detach()  # stays on the device: nobody waits for it
    enough = world_count > 1
    divisor = world_count.clamp(min=1)
    mean = torch.where(enough, world_sums / divisor, running_mean)
    world_squares = world_sum(squares(mean))
    variance = torch.where(enough, world_squares / divisor, running_var)
    with torch.no_grad():
        others = (world_count - 1).clamp(min=1)
        unbiased = torch.where(enough, world_count / others, 1.0)
        running_mean.lerp_(mean, momentum)
        running_var.lerp_(variance * unbiased, momentum)
    return mean, variance
