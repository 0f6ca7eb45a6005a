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
    """FC layers with ReLU between (and BatchNorm before each, if `norm`); [B, T, F] to scores [B, T, symbols]."""

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
        sizes = [features, *hidden, symbols]
        # The bias of a layer is kept behind BatchNorm too: only the norm *before* a layer is there, none follows.
        self.norms = nn.ModuleList(
            SequenceBatchNorm(size) if norm else nn.Identity() for size in sizes[:-1]
        )
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(sizes))
        self.activation = nn.ReLU() if clip is None else nn.Hardtanh(0.0, clip)
        self.dropout = Dropout(dropout)

    def forward(self, x: Seq) -> Seq:
        """Scores [B, T, symbols] of frames [B, T, F]."""
        for index, (norm, layer) in enumerate(zip(self.norms, self.layers, strict=True)):
            x = norm(x)
            data = layer(self.dropout(x.data))
            x = x.with_data(data if index == len(self.layers) - 1 else self.activation(data))
        return x

    @property
    def output(self) -> nn.Linear:
        """The last layer, whose rows are the symbols."""
        layer = self.layers[-1]
        assert isinstance(layer, nn.Linear)
        return layer

    def start_blank(self, share: float, blank: int = 0) -> None:
        """Set the output bias so that, all other scores being equal, the blank has probability `share` (0..1)."""
        if not 0 < share < 1:
            raise ValueError(f"blank_start: expected a probability within 0..1; got {share}")
        with torch.no_grad():
            self.output.bias[blank] = math.log(share / (1 - share) * (self.output.out_features - 1))
