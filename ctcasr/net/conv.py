"""Convolution over time and frequency in front of the recurrent layers."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from ctcasr.net.batchnorm import SequenceBatchNorm
from ctcasr.seq import Framing, Seq


class ConvLayer(nn.Module):
    """Conv2d over (time, frequency), BatchNorm per channel, ReLU (clipped at `clip` if given); [B, T, C, F] to [B, T', C', F']."""

    def __init__(
        self,
        channels_in: int,
        channels: int,
        bins: int,
        kernel: tuple[int, int],
        stride: tuple[int, int],
        clip: float | None = None,
    ) -> None:
        super().__init__()
        padding = (kernel[0] // 2, kernel[1] // 2)
        self.framing = Framing(kernel[0], stride[0], padding[0], padding[0])
        self.channels, self.bins = (
            channels,
            Framing(kernel[1], stride[1], padding[1], padding[1]).count(bins),
        )
        self.conv = nn.Conv2d(channels_in, channels, kernel, stride, padding, bias=False)
        self.norm = SequenceBatchNorm(channels)
        self.activation = nn.ReLU() if clip is None else nn.Hardtanh(0.0, clip)

    def forward(self, x: Seq) -> Seq:
        """Frames [B, T', C', F'] of frames [B, T, C, F] whose padding is zero."""
        data = x.data.transpose(1, 2).contiguous(
            memory_format=torch.channels_last
        )  # so that BatchNorm finds channels side by side
        return self.activate(x.framed(self.conv(data).transpose(1, 2), self.framing))

    def unpadded(self, data: Tensor) -> Tensor:
        """The convolution [B, T', C', F'] of frames [B, T, C, F] without zeros before and after them."""
        rows = functional.pad(data, (int(self.conv.padding[1]),) * 2).transpose(1, 2)
        return functional.conv2d(rows, self.conv.weight, None, self.conv.stride).transpose(1, 2)

    def activate(self, y: Seq) -> Seq:
        """What follows the convolution, [B, T', C', F']: BatchNorm and activation."""
        batch, steps, channels, bins = y.data.shape
        # Statistics per channel over real frames and all bins: bins are laid out as further frames of the same sequence.
        spread = Seq(
            y.data.transpose(2, 3).reshape(batch, steps * bins, channels),
            tuple(n * bins for n in y.lengths),
            y.rate * bins,
        )
        normed = self.norm(spread).data.reshape(batch, steps, bins, channels).transpose(2, 3)
        return y.with_data(
            self.activation(normed)
        )  # BatchNorm leaves padding zero, and so does the activation


class ConvStack(nn.Module):
    """Conv layers one after the other, from features [B, T, F] to [B, T', C * F']."""

    def __init__(self, layers: list[ConvLayer], bins: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self.features = layers[-1].channels * layers[-1].bins if layers else bins
        self.framings: tuple[Framing, ...] = tuple(layer.framing for layer in layers)

    def forward(self, x: Seq) -> Seq:
        """Frames [B, T', C * F'] of features [B, T, F]."""
        if not self.layers:
            return x
        x = x.with_data(x.data.unsqueeze(2))
        for layer in self.layers:
            x = layer(x)
        return x.with_data(x.data.flatten(2))
