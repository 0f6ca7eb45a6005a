"""Running label priors: how often the network gives each symbol."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ctcasr.net.batchnorm import WorldSum
from ctcasr.seq import Seq

_LEAST = 1e-8  # below this a prior does not fall, so that its logarithm stays finite


class LabelPrior(nn.Module):
    """Log of the mean posterior of each symbol [C], moved a little by every training batch.

    arXiv 2406.02560.

    Example:
        >>> prior = LabelPrior(symbols=4, weight=0.5)
        >>> prior.observe(Seq.stack([torch.zeros(10, 4)], rate=100))
        >>> prior.log.exp()
        tensor([0.2500, 0.2500, 0.2500, 0.2500])
    """

    log: Tensor
    world_sum: WorldSum | None = None  # given while several processes share a batch

    def __init__(self, symbols: int, weight: float, momentum: float = 0.05) -> None:
        super().__init__()
        self.weight = weight
        self.momentum = momentum
        self.register_buffer("log", torch.full((symbols,), 1.0 / symbols).log())

    @torch.no_grad()
    def observe(self, logits: Seq) -> None:
        """Take in the real frames of logits [B, T, C]."""
        scores = logits.data.detach().to(self.log.dtype)
        posteriors = scores.softmax(2)
        padding = ~logits.mask[:, :, None]
        sums = posteriors.masked_fill(padding, 0.0).sum((0, 1))
        self.observe_sums(sums, sum(logits.lengths))

    @torch.no_grad()
    def observe_sums(self, sums: Tensor, frames: int) -> None:
        """Take in the posteriors of so many real frames, summed over these [C]."""
        before = self.log.exp()
        if self.world_sum is None:
            mean = sums / max(1, frames)
        else:
            own_frames = sums.new_full((1,), frames)
            world = self.world_sum(torch.cat((sums, own_frames)))
            world_frames = world[-1]
            world_mean = world[:-1] / world_frames.clamp(min=1)
            mean = torch.where(world_frames > 0, world_mean, before)
        after = before.lerp(mean, self.momentum)
        self.log.copy_(after.clamp(min=_LEAST).log())

    def forward(self, logits: Seq) -> Seq:
        """Scores [B, T, C] with the prior taken off: what is decoded."""
        return logits.with_data(logits.data - self.weight * self.log)
