"""GoogLeNet on spectrograms: inception as published for sounds, and corrected.

Szegedy et al. 2014, arXiv 1409.4842. Shape letters: B pictures, C channels, H rows, W columns.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn


class InceptionSizes(NamedTuple):
    """Output channels of the layers of an inception block, as in table 1 of the paper."""

    one: int  # of the 1x1 branch
    reduced3: int  # of the 3x3 branch: reduced, then full
    three: int
    reduced5: int  # of the 5x5 branch: reduced, then full
    five: int
    pooled: int  # behind the pooling


INCEPTIONS: dict[str, InceptionSizes] = {
    "3a": InceptionSizes(64, 96, 128, 16, 32, 32),
    "3b": InceptionSizes(128, 128, 192, 32, 96, 64),
    "4a": InceptionSizes(192, 96, 208, 16, 48, 64),
    "4b": InceptionSizes(160, 112, 224, 24, 64, 64),
    "4c": InceptionSizes(128, 128, 256, 24, 64, 64),
    "4d": InceptionSizes(112, 144, 288, 32, 64, 64),
    "4e": InceptionSizes(256, 160, 320, 32, 128, 128),
    "5a": InceptionSizes(256, 160, 320, 32, 128, 128),
    "5b": InceptionSizes(384, 192, 384, 48, 128, 128),
}
POOLED = ("3b", "4e")  # blocks that are followed by pooling
AUXILIARY = ("4a", "4d")  # blocks that are followed by a head of their own in training
AUXILIARY_WEIGHT = 0.3
_AUXILIARY_DROPOUT = 0.7
_STEM_CHANNELS = (64, 192)

AuxiliaryLogits = tuple[tuple[float, Tensor], ...]  # (weight, logits [B, classes]) of each head


class Inception(nn.Module):
    """Four branches side by side, with real 5x5 kernels: [B, C, H, W] to [B, C', H, W].

    `corrected`: BatchNorm and ReLU behind each convolution, otherwise neither.
    """

    def __init__(self, channels: int, sizes: InceptionSizes, corrected: bool) -> None:
        super().__init__()

        def conv(channels_in: int, channels_out: int, kernel: int) -> list[nn.Module]:
            layer = nn.Conv2d(
                channels_in, channels_out, kernel, padding=kernel // 2, bias=not corrected
            )
            if not corrected:
                return [layer]
            return [layer, nn.BatchNorm2d(channels_out), nn.ReLU()]

        self.branches = nn.ModuleList()
        for layers in (
            conv(channels, sizes.one, 1),
            [*conv(channels, sizes.reduced3, 1), *conv(sizes.reduced3, sizes.three, 3)],
            [*conv(channels, sizes.reduced5, 1), *conv(sizes.reduced5, sizes.five, 5)],
            [nn.MaxPool2d(3, 1, 1), *conv(channels, sizes.pooled, 1)],
        ):
            self.branches.append(nn.Sequential(*layers))
        self.channels = sizes.one + sizes.three + sizes.five + sizes.pooled

    def forward(self, x: Tensor) -> Tensor:
        """Data [B, sum of the branches, H, W] of data [B, C, H, W]."""
        return torch.cat([branch(x) for branch in self.branches], 1)


class AuxiliaryHead(nn.Module):
    """A classifier on a layer in the middle.

    14 x 14 maps give the 2048 values of its first fully connected layer.
    """

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.AvgPool2d(5, 3),
            nn.Conv2d(channels, 128, 1),
            nn.Flatten(),
            nn.Linear(2048, 1024),
            nn.ReLU(),
            nn.Dropout(_AUXILIARY_DROPOUT),
            nn.Linear(1024, classes),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Logits [B, classes] of data [B, C, 14, 14]."""
        return self.layers(x)


class GoogLeNet(nn.Module):
    """Pictures [B, 3, 224, 224] to logits [B, classes].

    In training also those of the two auxiliary heads, each weighted 0.3.

    Example:
        >>> network = GoogLeNet(classes=10, corrected=True).eval()
        >>> network(torch.zeros(1, 3, 224, 224)).shape
        torch.Size([1, 10])
    """

    def __init__(
        self, classes: int, corrected: bool, auxiliary: bool = True, dropout: float = 0.1
    ) -> None:
        super().__init__()

        def conv(channels_in: int, channels_out: int, kernel: int, stride: int) -> nn.Sequential:
            return nn.Sequential(
                nn.Conv2d(
                    channels_in, channels_out, kernel, stride, kernel // 2, bias=not corrected
                ),
                nn.BatchNorm2d(channels_out),
                nn.ReLU(),
                nn.MaxPool2d(3, 2, ceil_mode=True),
            )

        first, channels = _STEM_CHANNELS
        self.stem = nn.Sequential(conv(3, first, 7, 2), conv(first, channels, 3, 1))
        self.blocks = nn.ModuleDict()
        self.heads = nn.ModuleDict()
        for name, sizes in INCEPTIONS.items():
            block = Inception(channels, sizes, corrected)
            channels = block.channels
            self.blocks[name] = block
            if auxiliary and name in AUXILIARY:
                self.heads[name] = AuxiliaryHead(channels, classes)
        self.pool = nn.MaxPool2d(3, 2, ceil_mode=True)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(channels, classes)

    def forward(self, pictures: Tensor) -> Tensor | tuple[Tensor, AuxiliaryLogits]:
        """Logits [B, classes]; in training (logits, ((weight, logits of a head), ...))."""
        maps = self.stem(pictures)
        auxiliary = []
        for name, block in self.blocks.items():
            maps = block(maps)
            if self.training and name in self.heads:
                auxiliary.append((AUXILIARY_WEIGHT, self.heads[name](maps)))
            if name in POOLED:
                maps = self.pool(maps)
        logits = self.output(self.dropout(maps.mean((2, 3))))
        if auxiliary:
            return logits, tuple(auxiliary)
        return logits
