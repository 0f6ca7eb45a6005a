"""GoogLeNet on spectrograms: inception as in Szegedy et al. 2014 (arXiv 1409.4842), as published for sounds and corrected."""

from __future__ import annotations

import torch
from torch import Tensor, nn

# Channels of the 1x1 branch, of the 3x3 branch (reduced, then full), of the 5x5 branch (likewise) and behind the pooling: table 1.
INCEPTIONS: dict[str, tuple[int, int, int, int, int, int]] = {
    "3a": (64, 96, 128, 16, 32, 32),
    "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 208, 16, 48, 64),
    "4b": (160, 112, 224, 24, 64, 64),
    "4c": (128, 128, 256, 24, 64, 64),
    "4d": (112, 144, 288, 32, 64, 64),
    "4e": (256, 160, 320, 32, 128, 128),
    "5a": (256, 160, 320, 32, 128, 128),
    "5b": (384, 192, 384, 48, 128, 128),
}
POOLED = ("3b", "4e")  # blocks that are followed by pooling
AUXILIARY = ("4a", "4d")  # blocks that are followed by a head of their own in training
AUXILIARY_WEIGHT = 0.3


class Inception(nn.Module):
    """Four branches side by side (real 5x5 kernels); `corrected`: BatchNorm and ReLU behind each convolution, otherwise neither."""

    def __init__(
        self, channels: int, sizes: tuple[int, int, int, int, int, int], corrected: bool
    ) -> None:
        super().__init__()

        def conv(a: int, b: int, kernel: int) -> list[nn.Module]:
            layer = nn.Conv2d(a, b, kernel, padding=kernel // 2, bias=not corrected)
            return [layer, nn.BatchNorm2d(b), nn.ReLU()] if corrected else [layer]

        one, reduced3, three, reduced5, five, pooled = sizes
        self.branches = nn.ModuleList(
            [
                nn.Sequential(*conv(channels, one, 1)),
                nn.Sequential(*conv(channels, reduced3, 1), *conv(reduced3, three, 3)),
                nn.Sequential(*conv(channels, reduced5, 1), *conv(reduced5, five, 5)),
                nn.Sequential(nn.MaxPool2d(3, 1, 1), *conv(channels, pooled, 1)),
            ]
        )
        self.channels = one + three + five + pooled

    def forward(self, x: Tensor) -> Tensor:
        """Data [B, sum of the branches, H, W] of data [B, C, H, W]."""
        return torch.cat([branch(x) for branch in self.branches], 1)


class AuxiliaryHead(nn.Module):
    """A classifier on a layer in the middle; 14 x 14 maps give the 2048 values of its first FC layer."""

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.AvgPool2d(5, 3),
            nn.Conv2d(channels, 128, 1),
            nn.Flatten(),
            nn.Linear(2048, 1024),
            nn.ReLU(),
            nn.Dropout(0.7),
            nn.Linear(1024, classes),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Logits [B, classes] of data [B, C, 14, 14]."""
        return self.layers(x)


class GoogLeNet(nn.Module):
    """Pictures [B, 3, 224, 224] to logits [B, classes]; in training also those of the two auxiliary heads, each weighted 0.3."""

    def __init__(
        self, classes: int, corrected: bool, auxiliary: bool = True, dropout: float = 0.1
    ) -> None:
        super().__init__()

        def conv(a: int, b: int, kernel: int, stride: int) -> nn.Sequential:
            layer = nn.Conv2d(a, b, kernel, stride, kernel // 2, bias=not corrected)
            return nn.Sequential(
                layer, nn.BatchNorm2d(b), nn.ReLU(), nn.MaxPool2d(3, 2, ceil_mode=True)
            )

        self.stem = nn.Sequential(conv(3, 64, 7, 2), conv(64, 192, 3, 1))
        self.blocks, self.heads, channels = nn.ModuleDict(), nn.ModuleDict(), 192
        for name, sizes in INCEPTIONS.items():
            block = Inception(channels, sizes, corrected)
            self.blocks[name], channels = block, block.channels
            if auxiliary and name in AUXILIARY:
                self.heads[name] = AuxiliaryHead(channels, classes)
        self.pool = nn.MaxPool2d(3, 2, ceil_mode=True)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(channels, classes)

    def forward(self, pictures: Tensor) -> Tensor | tuple[Tensor, tuple[tuple[float, Tensor], ...]]:
        """Logits [B, classes]; in training (logits, ((weight, logits of an auxiliary head), ...))."""
        x, side = self.stem(pictures), []
        for name, block in self.blocks.items():
            x = block(x)
            if self.training and name in self.heads:
                side.append((AUXILIARY_WEIGHT, self.heads[name](x)))
            if name in POOLED:
                x = self.pool(x)
        logits = self.output(self.dropout(x.mean((2, 3))))
        return (logits, tuple(side)) if side else logits
