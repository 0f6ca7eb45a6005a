"""How many words a training leaves, and what that says about the next one."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

_OF_A_STEP = 0.02  # of the average: it is that of the last fifty steps or so
_FEWEST = 1e-4  # share of words below which the odds rise no more


@dataclass
class LeftWords:
    """The share of words that a star leaves, and the odds that a word is right.

    Where few words are left, few are wrong, and leaving one should cost more: the odds, in nats,
    are the price that expectation maximisation would set (Dempster et al. 1977). They are no less
    than 0, so that what begins to leave more than half of the words does not make it cheaper. Of
    several processes each goes by its own batches; last.pt keeps the share of the first.

    Example:
        >>> left = LeftWords()
        >>> cost = left.cost(words=10)
        >>> (3 * cost).backward()         # a loss whose slope is the number of words that are left
        >>> left.share, round(float(left.cost(words=10)), 2)
        (0.3, 0.85)
    """

    share: float | None = None  # of the words of the last steps; None before the first

    @property
    def odds(self) -> float:
        """Nats against leaving a word: ln((1 - share) / share), 0 where more than half are left."""
        if self.share is None:
            return 0.0
        share = min(max(self.share, _FEWEST), 0.5)
        return math.log((1 - share) / share)

    def cost(self, words: int) -> Tensor:
        """The odds as a cost of so many words; backward through their loss tells how many are left.

        The derivative of a loss with respect to the cost of words is the sum of their posteriors.
        """
        cost = torch.tensor(self.odds, requires_grad=True)
        cost.register_hook(lambda left: self._observe(left, words))
        return cost

    def _observe(self, left: Tensor, words: int) -> None:
        """Take the posteriors of one step into the average."""
        share = float(left) / max(words, 1)
        if self.share is None:
            self.share = share
        else:
            self.share += _OF_A_STEP * (share - self.share)

    def state_dict(self) -> dict[str, Any]:
        """Plain data from which `load_state_dict` makes the same."""
        return {"share": self.share}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """What `state_dict` gave; nothing of an older file."""
        self.share = state.get("share")
