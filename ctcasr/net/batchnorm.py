"""Batch normalisation over the real frames of padded sequences."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ctcasr.seq import Seq


class SequenceBatchNorm(nn.Module):
    """BatchNorm of data [B, T, F] over all real frames (Ioffe and Szegedy 2015); padding is neither counted nor touched: it stays zero."""

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, features: int, momentum: float = 0.1, eps: float = 1e-5) -> None:
        super().__init__()
        self.momentum, self.eps = momentum, eps
        self.weight = nn.Parameter(torch.ones(features))
        self.bias = nn.Parameter(torch.zeros(features))
        self.register_buffer("running_mean", torch.zeros(features))
        self.register_buffer("running_var", torch.ones(features))

    def forward(self, x: Seq) -> Seq:
        """Normalised data [B, T, F]; in training by the batch's own statistics, in evaluation by the running ones."""
        if self.training and sum(x.lengths) > 1:         # a single frame has no variance: it is seen as in evaluation
            x = x.zero_padding()
            mean, variance = self._measure(x)
        else:
            mean, variance = self.running_mean, self.running_var
        scale = self.weight * torch.rsqrt(variance + self.eps)
        return x.with_data(x.data * scale + (self.bias - mean * scale)).zero_padding()

    def _measure(self, x: Seq) -> tuple[Tensor, Tensor]:
        """Mean and (biased) variance [F] of the real frames, which also move the running statistics (by the unbiased variance)."""
        count = sum(x.lengths)
        data = x.data.to(self.running_mean.dtype)           # sums of half precision are taken in single
        mean = data.sum((0, 1)) / count
        variance = x.with_data(data - mean).zero_padding().data.square().sum((0, 1)) / count
        with torch.no_grad():
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * (count / (count - 1)), self.momentum)
        return mean, variance
