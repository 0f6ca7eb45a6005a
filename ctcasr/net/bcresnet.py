"""BC-ResNet: broadcasted residual learning for keyword spotting.

Kim et al., Interspeech 2021, arXiv 2106.04140. Shape letters: B clips, C channels, F mel bands,
T frames.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

# Groups of frequencies with statistics of their own (Chang et al. 2021, arXiv 2103.13620).
SUBBANDS = 5
WIDTHS = (1.0, 1.5, 2.0, 2.5)  # channels of the four stages, in units of the base
BLOCKS = (2, 2, 4, 4)  # blocks of the four stages
HALVING_STAGES = (1, 2)  # stages whose first block halves the frequency
_HALVINGS = 8  # what the first layer and those two stages divide the frequency by
_BASE_CHANNELS = 8  # at width 1
_LEAST_BASE = 2
_DROPOUT = 0.1


class SubSpectralNorm(nn.Module):
    """BatchNorm of data [B, C, F, T] with statistics for each channel and each group of bands."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels * SUBBANDS)

    def forward(self, x: Tensor) -> Tensor:
        """Normalised data [B, C, F, T]; F is a multiple of the number of groups."""
        batch, channels, bins, steps = x.shape
        grouped = x.reshape(batch, channels * SUBBANDS, bins // SUBBANDS, steps)
        return self.norm(grouped).reshape(batch, channels, bins, steps)


class BroadcastBlock(nn.Module):
    """A residual block over frequency in 2-D and over time in 1-D.

    The result over time is broadcast to all frequencies.
    """

    def __init__(self, channels_in: int, channels: int, stride: int, dilation: int) -> None:
        super().__init__()
        self.change: nn.Module | None = None
        if channels_in != channels:
            self.change = nn.Sequential(
                nn.Conv2d(channels_in, channels, 1, bias=False),
                nn.BatchNorm2d(channels),
                nn.ReLU(),
            )
        self.over_frequency = nn.Sequential(
            nn.Conv2d(channels, channels, (3, 1), (stride, 1), (1, 0), groups=channels, bias=False),
            SubSpectralNorm(channels),
        )
        per_channel = nn.Conv2d(
            channels,
            channels,
            kernel_size=(1, 3),
            padding=(0, dilation),
            dilation=(1, dilation),
            groups=channels,
            bias=False,
        )
        self.over_time = nn.Sequential(
            per_channel,
            nn.BatchNorm2d(channels),
            nn.SiLU(),
            nn.Conv2d(channels, channels, 1, bias=False),
            nn.Dropout2d(_DROPOUT),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Data [B, C', F', T] of data [B, C, F, T]."""
        if self.change is not None:
            residual = self.over_frequency(self.change(x))
            return torch.relu(self._broadcast(residual))
        residual = self.over_frequency(x)
        return torch.relu(self._broadcast(residual) + x)

    def _broadcast(self, residual: Tensor) -> Tensor:
        mean_over_frequency = residual.mean(2, keepdim=True)
        return residual + self.over_time(mean_over_frequency)


class BCResNet(nn.Module):
    """BC-ResNet of a `width`; features [B, 1, F, T] to logits [B, classes].

    8 channels and 9,232 parameters for 12 classes at width 1. F must be a multiple of 40: two of
    the stages and the first layer halve it, and five sub-bands remain.

    Raises:
        ValueError: for another number of bands, and for a width of less than two channels.

    Example:
        >>> BCResNet(bins=40, classes=12)(torch.zeros(2, 1, 40, 30)).shape
        torch.Size([2, 12])
    """

    def __init__(self, bins: int, classes: int, width: float = 1.0) -> None:
        super().__init__()
        divisor = _HALVINGS * SUBBANDS
        if bins % divisor:
            raise ValueError(
                f"kws_bcresnet: expected a multiple of {divisor} mel bands; got {bins}"
            )
        base = round(_BASE_CHANNELS * width)
        if base < _LEAST_BASE:
            raise ValueError(f"kws_bcresnet: expected a width of at least 0.25; got {width:g}")
        channels = 2 * base
        last_channels = 4 * base
        self.first = nn.Sequential(
            nn.Conv2d(1, channels, 5, (2, 1), 2, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
        )
        blocks = []
        for stage, (scale, count) in enumerate(zip(WIDTHS, BLOCKS, strict=True)):
            stage_channels = int(scale * base)
            for index in range(count):
                halves = index == 0 and stage in HALVING_STAGES
                stride = 2 if halves else 1
                dilation = 2**stage
                blocks.append(BroadcastBlock(channels, stage_channels, stride, dilation))
                channels = stage_channels
        self.blocks = nn.Sequential(*blocks)
        self.last = nn.Sequential(
            nn.Conv2d(channels, channels, 5, 1, (0, 2), groups=channels, bias=False),
            nn.Conv2d(channels, last_channels, 1, bias=False),
            nn.BatchNorm2d(last_channels),
            nn.ReLU(),
        )
        self.output = nn.Linear(last_channels, classes)

    def forward(self, features: Tensor) -> Tensor:
        """Logits [B, classes] of features [B, 1, F, T]."""
        maps = self.last(self.blocks(self.first(features)))
        return self.output(maps.mean((2, 3)))
