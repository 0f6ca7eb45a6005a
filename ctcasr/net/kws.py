"""A plain convolutional classifier: keyword spotting on a microcontroller, and small sounds."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

# Channels, kernel and stride of a layer; the last two as (time, frequency).
Layer = tuple[int, tuple[int, int], tuple[int, int]]


class ConvClassifier(nn.Module):
    """Conv2d, BatchNorm and ReLU layer by layer, global average pooling, dropout and output.

    Features [B, 1, F, T] to logits [B, classes].

    Raises:
        ValueError: for no layers.

    Example:
        >>> network = ConvClassifier([(4, (3, 3), (2, 2))], classes=12)
        >>> network(torch.zeros(2, 1, 20, 30)).shape
        torch.Size([2, 12])
    """

    def __init__(self, layers: Sequence[Layer], classes: int, dropout: float = 0.0) -> None:
        super().__init__()
        if not layers:
            raise ValueError("expected at least one conv layer; got none")
        parts: list[nn.Module] = []
        channels_in = 1
        for channels, kernel, stride in layers:
            time, frequency = kernel
            time_step, frequency_step = stride
            conv = nn.Conv2d(
                channels_in,
                channels,
                kernel_size=(frequency, time),
                stride=(frequency_step, time_step),
                padding=(frequency // 2, time // 2),
                bias=False,  # the norm behind it has one
            )
            parts += [conv, nn.BatchNorm2d(channels), nn.ReLU()]
            channels_in = channels
        self.conv = nn.Sequential(*parts)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(channels_in, classes)

    def forward(self, features: Tensor) -> Tensor:
        """Logits [B, classes] of features [B, 1, F, T]."""
        pooled = torch.mean(self.conv(features), dim=(2, 3))
        return self.output(self.dropout(pooled))
