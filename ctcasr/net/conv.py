"""Convolution over time and frequency in front of the recurrent layers.

Shape letters: B utterances, T frames, C channels, F frequency bins.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from ctcasr.net.batchnorm import SequenceBatchNorm
from ctcasr.net.compiled import has_hooks, product_dtype
from ctcasr.seq import Framing, Seq


class ConvLayer(nn.Module):
    """Conv2d over (time, frequency), BatchNorm per channel, ReLU (clipped at `clip` if given).

    [B, T, C, F] to [B, T', C', F'].

    Example:
        >>> layer = ConvLayer(1, 4, bins=40, kernel=(5, 5), stride=(2, 2))
        >>> layer(Seq.stack([torch.zeros(50, 1, 40)], rate=100)).data.shape
        torch.Size([1, 25, 4, 20])
    """

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
        self.framing = _same_framing(kernel[0], stride[0])
        over_frequency = _same_framing(kernel[1], stride[1])
        padding = (self.framing.before, over_frequency.before)
        self.channels = channels
        self.bins = over_frequency.count(bins)
        self.conv = nn.Conv2d(channels_in, channels, kernel, stride, padding, bias=False)
        self.norm = SequenceBatchNorm(channels)
        self.activation: nn.ReLU | nn.Hardtanh = nn.ReLU()
        if clip is not None:
            self.activation = nn.Hardtanh(0.0, clip)

    def forward(self, x: Seq) -> Seq:
        """Frames [B, T', C', F'] of frames [B, T, C, F] whose padding is zero."""
        planes = self._convolved(_channels_last(x.data))
        frames = x.framed(planes.transpose(1, 2), self.framing)
        return self.activate(frames)

    def _convolved(self, planes: Tensor) -> Tensor:
        """Convolution of planes [B, C, T, F]; its factors rounded where products may be."""
        dtype = product_dtype(planes, "amx_bf16")
        # With one channel there is little to multiply: rounding would take longer.
        gains = planes.dtype != dtype and self.conv.in_channels > 1
        if not gains or has_hooks(self.conv):
            convolved: Tensor = self.conv(planes)
            return convolved
        rounded = functional.conv2d(
            planes.to(dtype),
            self.conv.weight.to(dtype),
            stride=self.conv.stride,
            padding=self.conv.padding,
        )
        return rounded.to(planes.dtype)

    def unpadded(self, data: Tensor) -> Tensor:
        """Convolution [B, T', C', F'] of frames [B, T, C, F], no zeros before and after them."""
        beside = int(self.conv.padding[1])
        padded = functional.pad(data, (beside, beside))
        planes = functional.conv2d(
            padded.transpose(1, 2),
            self.conv.weight,
            stride=self.conv.stride,
        )
        return planes.transpose(1, 2)

    def activate(self, y: Seq) -> Seq:
        """What follows the convolution, [B, T', C', F']: BatchNorm and activation."""
        batch, steps, channels, bins = y.data.shape
        # Statistics per channel over real frames and all bins: bins are laid out as further frames
        # of the same sequence.
        lengths = tuple(length * bins for length in y.lengths)
        channels_last = y.data.transpose(2, 3)
        rows = channels_last.reshape(batch, steps * bins, channels)
        # BatchNorm leaves padding zero, and so does the activation.
        normed = self.norm.clamped(Seq(rows, lengths, y.rate * bins), self.activation)
        channels_last = normed.data.reshape(batch, steps, bins, channels)
        return y.with_data(channels_last.transpose(2, 3))


class ConvStack(nn.Module):
    """Conv layers one after the other, from features [B, T, F] to [B, T', C * F'].

    Example:
        >>> layer = ConvLayer(1, 4, bins=40, kernel=(5, 5), stride=(2, 2))
        >>> stack = ConvStack([layer], bins=40)
        >>> stack(Seq.stack([torch.zeros(50, 40)], rate=100)).data.shape, stack.features
        (torch.Size([1, 25, 80]), 80)
    """

    def __init__(self, layers: list[ConvLayer], bins: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self.framings = tuple(layer.framing for layer in layers)
        self.features = bins
        if layers:
            last = layers[-1]
            self.features = last.channels * last.bins

    def forward(self, x: Seq) -> Seq:
        """Frames [B, T', C * F'] of features [B, T, F]."""
        if not self.layers:
            return x
        x = x.with_data(x.data.unsqueeze(2))
        for layer in self.layers:
            x = layer(x)
        return x.with_data(x.data.flatten(2))


def _channels_last(data: Tensor) -> Tensor:
    """Planes [B, C, T, F] of frames [B, T, C, F]; channels last in memory, for BatchNorm."""
    planes = data.transpose(1, 2).contiguous(memory_format=torch.channels_last)
    batch, channels, frames, bins = planes.shape
    if channels == 1 and planes.is_cpu:
        # One channel has either layout. By these strides oneDNN's output, too, has channels last.
        planes = planes.reshape(batch, frames, bins, 1).permute(0, 3, 1, 2)
    return planes


def _same_framing(kernel: int, stride: int) -> Framing:
    """Windows centred on every `stride`-th input, with zeros beyond the ends."""
    return Framing(kernel, stride, before=kernel // 2, after=kernel // 2)
