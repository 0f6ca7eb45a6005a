"""BC-ResNet: broadcasted residual learning for keyword spotting (Kim et al., Interspeech 2021, arXiv 2106.04140)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

SUBBANDS = (
    5  # groups of frequencies with statistics of their own (Chang et al. 2021, arXiv 2103.13620)
)
WIDTHS = (1.0, 1.5, 2.0, 2.5)  # channels of the four stages, in units of the base
BLOCKS = (2, 2, 4, 4)


class SubSpectralNorm(nn.Module):
    """BatchNorm of data [B, C, F, T] with statistics for each channel and each of `SUBBANDS` groups of neighbouring frequencies."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels * SUBBANDS)

    def forward(self, x: Tensor) -> Tensor:
        """Normalised data [B, C, F, T]; F is a multiple of the number of groups."""
        batch, channels, bins, steps = x.shape
        return self.norm(x.reshape(batch, channels * SUBBANDS, bins // SUBBANDS, steps)).reshape(
            batch, channels, bins, steps
        )


class BroadcastBlock(nn.Module):
    """A residual block that works over frequency in 2-D and over time in 1-D, whose result is broadcast to all frequencies."""

    def __init__(self, channels_in: int, channels: int, stride: int, dilation: int) -> None:
        super().__init__()
        self.change: nn.Module | None = None
        if channels_in != channels:
            self.change = nn.Sequential(
                nn.Conv2d(channels_in, channels, 1, bias=False), nn.BatchNorm2d(channels), nn.ReLU()
            )
        self.over_frequency = nn.Sequential(
            nn.Conv2d(channels, channels, (3, 1), (stride, 1), (1, 0), groups=channels, bias=False),
            SubSpectralNorm(channels),
        )
        self.over_time = nn.Sequential(
            nn.Conv2d(
                channels,
                channels,
                (1, 3),
                1,
                (0, dilation),
                (1, dilation),
                groups=channels,
                bias=False,
            ),
            nn.BatchNorm2d(channels),
            nn.SiLU(),
            nn.Conv2d(channels, channels, 1, bias=False),
            nn.Dropout2d(0.1),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Data [B, C', F', T] of data [B, C, F, T]."""
        two = self.over_frequency(x if self.change is None else self.change(x))
        out = two + self.over_time(two.mean(2, keepdim=True))
        return torch.relu(out if self.change is not None else out + x)


class BCResNet(nn.Module):
    """BC-ResNet of a `width` (8 channels at 1; 9,232 parameters for 12 classes); features [B, 1, F, T] to logits [B, classes].

    F must be a multiple of 40: two of the stages and the first layer halve it, and five sub-bands remain.
    """

    def __init__(self, bins: int, classes: int, width: float = 1.0) -> None:
        super().__init__()
        if bins % (8 * SUBBANDS):
            raise ValueError(
                f"kws_bcresnet: expected a multiple of {8 * SUBBANDS} mel bands; got {bins}"
            )
        base = round(8 * width)
        if base < 2:
            raise ValueError(f"kws_bcresnet: expected a width of at least 0.25; got {width:g}")
        channels, last = 2 * base, 4 * base
        self.first = nn.Sequential(
            nn.Conv2d(1, channels, 5, (2, 1), 2, bias=False), nn.BatchNorm2d(channels), nn.ReLU()
        )
        blocks = []
        for stage, (scale, count) in enumerate(zip(WIDTHS, BLOCKS, strict=True)):
            for index in range(count):
                stride = 2 if index == 0 and stage in (1, 2) else 1
                blocks.append(BroadcastBlock(channels, int(scale * base), stride, 2**stage))
                channels = int(scale * base)
        self.blocks = nn.Sequential(*blocks)
        self.last = nn.Sequential(
            nn.Conv2d(channels, channels, 5, 1, (0, 2), groups=channels, bias=False),
            nn.Conv2d(channels, last, 1, bias=False),
            nn.BatchNorm2d(last),
            nn.ReLU(),
        )
        self.output = nn.Linear(last, classes)

    def forward(self, features: Tensor) -> Tensor:
        """Logits [B, classes] of features [B, 1, F, T]."""
        return self.output(self.last(self.blocks(self.first(features))).mean((2, 3)))
