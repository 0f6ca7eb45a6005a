"""What else a network may be asked while it learns: which state of an aligner a frame shows."""

from __future__ import annotations

from torch import nn

from ctcasr.seq import Seq


class StateHeads(nn.Module):
    """Scores of an aligner's states, by the convolutions alone and by all layers.

    Example:
        >>> import torch
        >>> heads = StateHeads(convolved=6, hidden=4, states=9)
        >>> convolved = Seq.stack([torch.zeros(5, 6)], rate=25)
        >>> early, late = heads(convolved, Seq.stack([torch.zeros(5, 4)], rate=25))
        >>> early.data.shape, late.data.shape
        (torch.Size([1, 5, 9]), torch.Size([1, 5, 9]))
    """

    def __init__(self, convolved: int, hidden: int, states: int) -> None:
        super().__init__()
        self.early = nn.Linear(convolved, states)
        self.late = nn.Linear(hidden, states)

    def forward(self, convolved: Seq, hidden: Seq) -> tuple[Seq, Seq]:
        """Scores [B, T, states], twice, of frames [B, T, F] behind convolutions and behind all."""
        early = convolved.with_data(self.early(convolved.data))
        late = hidden.with_data(self.late(hidden.data))
        return early, late
