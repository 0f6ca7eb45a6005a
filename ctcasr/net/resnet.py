"""A residual network of 34 layers on spectrograms, as published for sounds and corrected.

He et al. 2015, arXiv 1512.03385. Shape letters: B pictures, C channels, H rows, W columns.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

STAGES = ((64, 3), (128, 4), (256, 6), (512, 3))  # channels and blocks
_STEM_CHANNELS = 64


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut.

    One that changes size is a 3x3 convolution as published, 1x1 where `corrected`.
    """

    def __init__(self, channels_in: int, channels: int, stride: int, corrected: bool) -> None:
        super().__init__()

        def conv(channels_from: int, kernel: int, step: int) -> list[nn.Module]:
            layer = nn.Conv2d(
                channels_from, channels, kernel, step, kernel // 2, bias=not corrected
            )
            return [layer, nn.BatchNorm2d(channels)]

        first = conv(channels_in, 3, stride)
        second = conv(channels, 3, 1)
        self.body = nn.Sequential(*first, nn.ReLU(), *second)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or channels_in != channels:
            kernel = 3
            if corrected:
                kernel = 1
            self.shortcut = nn.Sequential(*conv(channels_in, kernel, stride))

    def forward(self, x: Tensor) -> Tensor:
        """Data [B, C', H', W'] of data [B, C, H, W]."""
        return torch.relu(self.body(x) + self.shortcut(x))


class ResNet(nn.Module):
    """Pictures [B, 3, H, W] to logits [B, classes].

    Example:
        >>> ResNet(classes=10, corrected=True)(torch.zeros(2, 3, 32, 32)).shape
        torch.Size([2, 10])
    """

    def __init__(self, classes: int, corrected: bool) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, _STEM_CHANNELS, 7, 2, 3, bias=not corrected),
            nn.BatchNorm2d(_STEM_CHANNELS),
            nn.ReLU(),
            nn.MaxPool2d(3, 2, 1),
        )
        blocks = []
        channels_in = _STEM_CHANNELS
        for stage, (channels, count) in enumerate(STAGES):
            for index in range(count):
                stride = 1
                if stage > 0 and index == 0:
                    stride = 2
                blocks.append(ResidualBlock(channels_in, channels, stride, corrected))
                channels_in = channels
        self.blocks = nn.Sequential(*blocks)
        self.output = nn.Linear(channels_in, classes)

    def forward(self, pictures: Tensor) -> Tensor:
        """Logits [B, classes] of pictures [B, 3, H, W]."""
        maps = self.blocks(self.stem(pictures))
        return self.output(maps.mean((2, 3)))
