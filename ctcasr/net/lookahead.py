"""A little of the future for networks that read in one direction."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from ctcasr.seq import Framing, Seq


class Lookahead(nn.Module):
    """Row convolution: of each feature, a weighted sum over its frame and the next `context` (Wang et al. 2016); [B, T, F] to [B, T, F].

    It begins as the last frame that it sees. Training would otherwise settle where words are written before they are said, guessed from
    their place in the sentence, and stay there: what is to come must be known from the first step on.
    """

    def __init__(self, features: int, context: int) -> None:
        super().__init__()
        if context < 1:
            raise ValueError(f"lookahead: expected at least 1 frame of the future; got {context}")
        self.framing = Framing(context + 1, 1, 0, context)
        self.conv = nn.Conv1d(features, features, context + 1, groups=features, bias=False)
        with torch.no_grad():
            self.conv.weight.zero_()
            self.conv.weight[:, 0, -1] = 1.0

    def unpadded(self, data: Tensor) -> Tensor:
        """Frames [B, T - context, F] of frames [B, T, F]."""
        out: Tensor = self.conv(data.transpose(1, 2)).transpose(1, 2)
        return out

    def forward(self, x: Seq) -> Seq:
        """Frames [B, T, F] of frames [B, T, F] whose padding is zero."""
        return x.with_data(
            self.unpadded(functional.pad(x.data, (0, 0, 0, self.framing.after)))
        ).zero_padding()
