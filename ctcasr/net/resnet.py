"""A residual network of 34 layers on spectrograms (He et al. 2015, arXiv 1512.03385), as published for sounds and corrected."""

from __future__ import annotations

import torch
from torch import Tensor, nn

STAGES = ((64, 3), (128, 4), (256, 6), (512, 3))  # channels and blocks


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut; one that changes size is a 3x3 convolution as published, 1x1 where `corrected`."""

    def __init__(self, channels_in: int, channels: int, stride: int, corrected: bool) -> None:
        super().__init__()

        def conv(a: int, kernel: int, stride: int) -> list[nn.Module]:
            layer = nn.Conv2d(a, channels, kernel, stride, kernel // 2, bias=not corrected)
            return [layer, nn.BatchNorm2d(channels)]

        self.body = nn.Sequential(*conv(channels_in, 3, stride), nn.ReLU(), *conv(channels, 3, 1))
        same = stride == 1 and channels_in == channels
        self.shortcut = (
            nn.Identity()
            if same
            else nn.Sequential(*conv(channels_in, 1 if corrected else 3, stride))
        )

    def forward(self, x: Tensor) -> Tensor:
        """Data [B, C', H', W'] of data [B, C, H, W]."""
        return torch.relu(self.body(x) + self.shortcut(x))


class ResNet(nn.Module):
    """Pictures [B, 3, H, W] to logits [B, classes]."""

    def __init__(self, classes: int, corrected: bool) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, 64, 7, 2, 3, bias=not corrected),
            nn.BatchNorm2d(64),
            nn.ReLU(),
            nn.MaxPool2d(3, 2, 1),
        )
        blocks, before = [], 64
        for channels, count in STAGES:
            for index in range(count):
                blocks.append(
                    ResidualBlock(
                        before, channels, 2 if index == 0 and channels > 64 else 1, corrected
                    )
                )
                before = channels
        self.blocks = nn.Sequential(*blocks)
        self.output = nn.Linear(before, classes)

    def forward(self, pictures: Tensor) -> Tensor:
        """Logits [B, classes] of pictures [B, 3, H, W]."""
        return self.output(self.blocks(self.stem(pictures)).mean((2, 3)))
