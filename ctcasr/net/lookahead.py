"""A little of the future for networks that read in one direction."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from ctcasr.seq import Framing, Seq


class Lookahead(nn.Module):
    """Row convolution: each feature over its frame and the next `context`, [B, T, F].

    Wang et al. 2016. It begins as the last frame that it sees. Training would otherwise settle
    where words are written before they are said, guessed from their place in the sentence, and
    stay there: what is to come must be known from the first step on.

    Raises:
        ValueError: for a context of no frame.

    Example:
        >>> frames = Seq.stack([torch.tensor([[1.0], [2.0], [3.0]])], rate=100)
        >>> Lookahead(features=1, context=1)(frames).data.flatten().tolist()
        [2.0, 3.0, 0.0]
    """

    def __init__(self, features: int, context: int) -> None:
        super().__init__()
        if context < 1:
            raise ValueError(f"lookahead: expected at least 1 frame of the future; got {context}")
        size = context + 1
        self.framing = Framing(size, hop=1, before=0, after=context)
        self.conv = nn.Conv1d(features, features, size, groups=features, bias=False)
        with torch.no_grad():
            self.conv.weight.zero_()
            self.conv.weight[:, 0, -1] = 1.0

    def unpadded(self, data: Tensor) -> Tensor:
        """Frames [B, T - context, F] of frames [B, T, F]."""
        frames: Tensor = self.conv(data.transpose(1, 2))
        return frames.transpose(1, 2)

    def forward(self, x: Seq) -> Seq:
        """Frames [B, T, F] of frames [B, T, F] whose padding is zero."""
        padded = functional.pad(x.data, (0, 0, 0, self.framing.after))
        return x.with_data(self.unpadded(padded)).zero_padding()
