"""Batch normalisation over the real frames of padded sequences, and over the batch of several processes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm

from ctcasr.seq import Seq

WorldSum = Callable[[Tensor], Tensor]  # the sum of a tensor over all processes, differentiable


class _Rows(torch.autograd.Function):
    """Rows [P, F] of data [N, F] at places [P], none twice."""

    @staticmethod
    def forward(ctx: Any, data: Tensor, places: Tensor) -> Tensor:
        ctx.count = data.shape[0]
        ctx.save_for_backward(places)
        return data.index_select(0, places)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        return _Spread.apply(grad, *ctx.saved_tensors, ctx.count), None


class _Spread(torch.autograd.Function):
    """Rows [P, F] at places [P] of zeros [N, F]; what `_Rows` took, put back."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, places: Tensor, count: int) -> Tensor:
        ctx.save_for_backward(places)
        return rows.new_zeros(count, rows.shape[1]).index_copy_(0, places, rows)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        return _Rows.apply(grad.contiguous(), *ctx.saved_tensors), None, None


class SequenceBatchNorm(nn.Module):
    """BatchNorm of data [B, T, F] over all real frames (Ioffe and Szegedy 2015); padding is neither counted nor touched: it stays zero.

    With `world_sum`, the statistics are those of the batch that several processes share; one that has no frames of it joins in.
    """

    running_mean: Tensor
    running_var: Tensor
    world_sum: WorldSum | None = None

    def __init__(self, features: int, momentum: float = 0.1, eps: float = 1e-5) -> None:
        super().__init__()
        self.momentum, self.eps = momentum, eps
        self.weight = nn.Parameter(torch.ones(features))
        self.bias = nn.Parameter(torch.zeros(features))
        self.register_buffer("running_mean", torch.zeros(features))
        self.register_buffer("running_var", torch.ones(features))

    def forward(self, x: Seq) -> Seq:
        """Normalised data [B, T, F]; in training by the batch's own statistics, in evaluation by the running ones."""
        # A single frame has no variance: it is seen as in evaluation.
        learning = self.training and (self.world_sum is not None or sum(x.lengths) > 1)
        if (
            learning
            and self.world_sum is None
            and x.data.is_cpu
            and x.data.dtype == self.running_mean.dtype
        ):
            return self._fused(x)
        if learning:
            x = x.zero_padding()
            mean, variance = self._measure(x)
        else:
            mean, variance = self.running_mean, self.running_var
        scale = self.weight * torch.rsqrt(variance + self.eps)
        return x.with_data(x.data * scale + (self.bias - mean * scale)).zero_padding()

    def _fused(self, x: Seq) -> Seq:
        """The same by torch's fused BatchNorm over the real frames laid side by side."""
        rows = x.data.flatten(0, 1)
        real = None if x.full else x.mask.flatten().nonzero()[:, 0]
        if real is not None:
            rows = _Rows.apply(rows, real)
        out: Tensor = functional.batch_norm(
            rows,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            True,
            self.momentum,
            self.eps,
        )
        if real is not None:
            out = _Spread.apply(out, real, x.data.shape[0] * x.data.shape[1])
        return x.with_data(out.view(x.data.shape))

    def _measure(self, x: Seq) -> tuple[Tensor, Tensor]:
        """Mean and (biased) variance [F] of the real frames, which also move the running statistics (by the unbiased variance)."""
        data = x.data.to(self.running_mean.dtype)  # sums of half precision are taken in single

        def squares(mean: Tensor) -> Tensor:
            return x.with_data(data - mean).zero_padding().data.square().sum((0, 1))

        sums, count = data.sum((0, 1)), sum(x.lengths)
        if self.world_sum is not None:
            return _measure_over_all(self, self.world_sum, sums, count, squares, self.momentum)
        mean = sums / count
        variance = squares(mean) / count
        with torch.no_grad():
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * (count / (count - 1)), self.momentum)
        return mean, variance


def normalise_over_all(norm: _BatchNorm, world_sum: WorldSum, x: Tensor) -> Tensor:
    """What torch's BatchNorm `norm` makes of data [B, C, ...], in training by the statistics of the batch that all processes share."""
    if not norm.training:
        return type(norm).forward(norm, x)
    if norm.running_mean is None or norm.momentum is None:
        raise ValueError(
            f"expected a BatchNorm with running statistics and a momentum, for several processes; got {norm}"
        )
    others, shape = [0, *range(2, x.dim())], [1, -1] + [1] * (x.dim() - 2)
    data = x.to(norm.running_mean.dtype)
    mean, variance = _measure_over_all(
        norm,
        world_sum,
        data.sum(others),
        x.numel() // x.shape[1],
        lambda mean: (data - mean.view(shape)).square().sum(others),
        norm.momentum,
    )
    if norm.num_batches_tracked is not None:
        norm.num_batches_tracked.add_(1)
    scale = torch.rsqrt(variance + norm.eps) * (1.0 if norm.weight is None else norm.weight)
    return x * scale.view(shape) + ((0.0 if norm.bias is None else norm.bias) - mean * scale).view(
        shape
    )


def _measure_over_all(
    norm: SequenceBatchNorm | _BatchNorm,
    world_sum: WorldSum,
    sums: Tensor,
    count: int,
    squares: Callable[[Tensor], Tensor],
    momentum: float,
) -> tuple[Tensor, Tensor]:
    """Mean and (biased) variance [F] over all processes, of which this one has `sums`, `count` and `squares` around a mean."""
    running_mean, running_var = norm.running_mean, norm.running_var
    assert running_mean is not None and running_var is not None
    both = world_sum(torch.cat((sums, sums.new_full((1,), count))))
    everywhere = both[-1].detach()  # stays on the device: nobody waits for it
    some = everywhere > 1
    mean = torch.where(some, both[:-1] / everywhere.clamp(min=1), running_mean)
    variance = torch.where(some, world_sum(squares(mean)) / everywhere.clamp(min=1), running_var)
    with torch.no_grad():
        unbiased = torch.where(some, everywhere / (everywhere - 1).clamp(min=1), 1.0)
        running_mean.lerp_(mean, momentum)
        running_var.lerp_(variance * unbiased, momentum)
    return mean, variance
