"""The acoustic model: features to one score per frame and symbol."""

from __future__ import annotations

from torch import nn

from ctcasr.net.conv import ConvStack
from ctcasr.net.head import Head
from ctcasr.net.lookahead import Lookahead
from ctcasr.net.rnn import RecurrentStack
from ctcasr.seq import Framing, Seq


class AcousticModel(nn.Module):
    """Conv layers, BatchNorm-RNN layers, look-ahead if any, and fully connected layers; features [B, T, F] to logits [B, T', symbols]."""

    def __init__(
        self, conv: ConvStack, rnn: RecurrentStack, head: Head, lookahead: Lookahead | None = None
    ) -> None:
        super().__init__()
        self.conv, self.rnn, self.head, self.lookahead = conv, rnn, head, lookahead

    @property
    def framings(self) -> tuple[Framing, ...]:
        """What is done to the frame clock, stage by stage."""
        return self.conv.framings + (() if self.lookahead is None else (self.lookahead.framing,))

    def forward(self, features: Seq) -> Seq:
        """Logits [B, T', symbols] of features [B, T, F]."""
        frames = self.rnn(self.conv(features))
        return self.head(frames if self.lookahead is None else self.lookahead(frames))
