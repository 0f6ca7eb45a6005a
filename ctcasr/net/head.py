"""Fully connected layers that turn recurrent outputs into one score per symbol."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import nn

from ctcasr.net.batchnorm import SequenceBatchNorm
from ctcasr.net.dropout import Dropout
from ctcasr.seq import Seq


class Head(nn.Module):
    """Fully connected layers with ReLU between, BatchNorm before each if `norm`.

    [B, T, F] to scores [B, T, symbols].

    Example:
        >>> head = Head(features=8, hidden=[16], symbols=30)
        >>> head(Seq.stack([torch.zeros(5, 8)], rate=100)).data.shape
        torch.Size([1, 5, 30])
    """

    def __init__(
        self,
        features: int,
        hidden: Sequence[int],
        symbols: int,
        norm: bool = True,
        clip: float | None = None,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        # A layer keeps its bias behind BatchNorm too: the norm is *before* a layer, none follows.
        self.norms = nn.ModuleList()
        self.layers = nn.ModuleList()
        for size_in, size_out in pairwise([features, *hidden, symbols]):
            self.norms.append(SequenceBatchNorm(size_in) if norm else nn.Identity())
            self.layers.append(nn.Linear(size_in, size_out))
        self.activation = nn.ReLU() if clip is None else nn.Hardtanh(0.0, clip)
        self.dropout = Dropout(dropout)

    def forward(self, x: Seq) -> Seq:
        """Scores [B, T, symbols] of frames [B, T, F]."""
        hidden = self.hidden(x)
        return hidden.with_data(self.layers[-1](hidden.data))

    def hidden(self, x: Seq) -> Seq:
        """What the last layer sees [B, T, D] of frames [B, T, F]."""
        last = len(self.layers) - 1
        for index, (norm, layer) in enumerate(zip(self.norms, self.layers, strict=True)):
            normed = norm(x)
            data = self.dropout(normed.data)
            if index < last:
                data = self.activation(layer(data))
            x = normed.with_data(data)
        return x

    @property
    def output(self) -> nn.Linear:
        """The last layer, whose rows are the symbols."""
        layer = self.layers[-1]
        assert isinstance(layer, nn.Linear)
        return layer

    def start_blank(self, share: float, blank: int = 0) -> None:
        """Give the blank the probability `share` where all other scores are equal.

        Raises:
            ValueError: for a share that is no probability within 0..1.
        """
        if not 0 < share < 1:
            raise ValueError(f"blank_start: expected a probability within 0..1; got {share}")
        others = self.output.out_features - 1
        with torch.no_grad():
            self.output.bias[blank] = math.log(share / (1 - share) * others)
