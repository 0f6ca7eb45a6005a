"""The acoustic model: features to one score per frame and symbol."""

from __future__ import annotations

from torch import nn

from ctcasr.net.conv import ConvStack
from ctcasr.net.head import Head
from ctcasr.net.rnn import RecurrentStack
from ctcasr.seq import Framing, Seq


class AcousticModel(nn.Module):
    """Conv layers, BatchNorm-RNN layers and fully connected layers; features [B, T, F] to logits [B, T', symbols]."""

    def __init__(self, conv: ConvStack, rnn: RecurrentStack, head: Head) -> None:
        super().__init__()
        self.conv, self.rnn, self.head = conv, rnn, head

    @property
    def framings(self) -> tuple[Framing, ...]:
        """What is done to the frame clock, stage by stage."""
        return self.conv.framings

    def forward(self, features: Seq) -> Seq:
        """Logits [B, T', symbols] of features [B, T, F]."""
        return self.head(self.rnn(self.conv(features)))
