"""The acoustic model: features to one score per frame and symbol."""

from __future__ import annotations

from typing import Protocol

from torch import nn

from ctcasr.net.head import Head
from ctcasr.net.lookahead import Lookahead
from ctcasr.net.rnn import RecurrentStack
from ctcasr.seq import Framing, Seq


class Convolutions(Protocol):
    """What stands in front of the recurrent layers: a `ConvStack`, or a network that sees."""

    features: int  # of a frame that it gives

    @property
    def framings(self) -> tuple[Framing, ...]:
        """What is done to the frame clock, stage by stage."""
        ...

    def __call__(self, features: Seq) -> Seq:
        """Frames [B, T', F'] of features [B, T, ...]."""
        ...


class AcousticModel(nn.Module):
    """Features [B, T, F] to logits [B, T', symbols].

    Conv layers, BatchNorm-RNN layers, look-ahead if any, and fully connected layers.

    Example:
        >>> import torch
        >>> from ctcasr.net import ConvStack
        >>> rnn = RecurrentStack("gru", features=40, hidden=8, layers=1)
        >>> model = AcousticModel(ConvStack([], bins=40), rnn, Head(16, [], symbols=30))
        >>> model(Seq.stack([torch.zeros(50, 40)], rate=100)).data.shape
        torch.Size([1, 50, 30])
    """

    def __init__(
        self,
        conv: Convolutions,
        rnn: RecurrentStack,
        head: Head,
        lookahead: Lookahead | None = None,
    ) -> None:
        super().__init__()
        self.conv = conv
        self.rnn = rnn
        self.head = head
        self.lookahead = lookahead

    @property
    def framings(self) -> tuple[Framing, ...]:
        """What is done to the frame clock, stage by stage."""
        if self.lookahead is None:
            return self.conv.framings
        return (*self.conv.framings, self.lookahead.framing)

    def forward(self, features: Seq) -> Seq:
        """Logits [B, T', symbols] of features [B, T, F]."""
        _, frames = self.layers(features)
        return self.head(frames)

    def hidden(self, features: Seq) -> Seq:
        """What the last layer sees [B, T', D] of features [B, T, F]."""
        _, frames = self.layers(features)
        return self.head.hidden(frames)

    def layers(self, features: Seq) -> tuple[Seq, Seq]:
        """What the convolutions give [B, T', F'] of features [B, T, F], and what the head gets."""
        convolved = self.conv(features)
        frames = self.rnn(convolved)
        if self.lookahead is not None:
            frames = self.lookahead(frames)
        return convolved, frames
