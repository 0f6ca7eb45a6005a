"""A plain convolutional classifier: keyword spotting on a microcontroller, and small sounds."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

Layer = tuple[
    int, tuple[int, int], tuple[int, int]
]  # channels, kernel and stride as (time, frequency)


class ConvClassifier(nn.Module):
    """Conv2d, BatchNorm and ReLU layer by layer, global average pooling, dropout, FC; features [B, 1, F, T] to logits [B, classes]."""

    def __init__(self, layers: Sequence[Layer], classes: int, dropout: float = 0.0) -> None:
        super().__init__()
        if not layers:
            raise ValueError("expected at least one conv layer; got none")
        parts: list[nn.Module] = []
        channels = 1
        for wide, (time, freq), (step_time, step_freq) in layers:
            # No bias: the norm behind it has one.
            parts += [
                nn.Conv2d(
                    channels,
                    wide,
                    (freq, time),
                    (step_freq, step_time),
                    (freq // 2, time // 2),
                    bias=False,
                ),
                nn.BatchNorm2d(wide),
                nn.ReLU(),
            ]
            channels = wide
        self.conv = nn.Sequential(*parts)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(channels, classes)

    def forward(self, features: Tensor) -> Tensor:
        """Logits [B, classes] of features [B, 1, F, T]."""
        return self.output(self.dropout(torch.mean(self.conv(features), dim=(2, 3))))
