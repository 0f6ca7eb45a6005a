"""Running label priors: how often the network gives each symbol."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from ctcasr.seq import Seq


class LabelPrior(nn.Module):
    """Log of the mean posterior of each symbol [C], moved a little by every training batch (arXiv 2406.02560)."""

    log: Tensor
    world_sum: Callable[[Tensor], Tensor] | None = (
        None  # given while several processes share a batch
    )

    def __init__(self, symbols: int, weight: float, momentum: float = 0.05) -> None:
        super().__init__()
        self.weight, self.momentum = weight, momentum
        self.register_buffer("log", torch.full((symbols,), 1.0 / symbols).log())

    @torch.no_grad()
    def observe(self, logits: Seq) -> None:
        """Take in the real frames of logits [B, T, C]."""
        sums = (
            logits.data.detach()
            .to(self.log.dtype)
            .softmax(2)
            .masked_fill(~logits.mask[:, :, None], 0.0)
            .sum((0, 1))
        )
        if self.world_sum is None:
            mean = sums / max(1, sum(logits.lengths))
        else:
            both = self.world_sum(torch.cat((sums, sums.new_full((1,), sum(logits.lengths)))))
            mean = torch.where(both[-1] > 0, both[:-1] / both[-1].clamp(min=1), self.log.exp())
        self.log.copy_((self.log.exp().lerp(mean, self.momentum)).clamp(min=1e-8).log())

    def forward(self, logits: Seq) -> Seq:
        """Scores [B, T, C] with the prior taken off: what is decoded."""
        return logits.with_data(logits.data - self.weight * self.log)
