"""A running average of the weights, which is checked and kept in place of the last ones.

The noise of the last steps averages out (Polyak and Juditsky 1992).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn

_YOUNG = 10  # steps after which the average may remember most of what it holds


class WeightAverage:
    """Exponential average of all that a network learns, and of BatchNorm's running statistics.

    Each step moves the average by 1 - `decay` towards the network; the first steps move it more, so
    that the untrained weights are forgotten.

    Raises:
        ValueError: for a decay outside 0..1, or of 1.

    Example:
        >>> network = nn.Linear(1, 1, bias=False)
        >>> average = WeightAverage(network, decay=0.5)
        >>> start = network.weight.item()
        >>> _ = network.weight.data.add_(1.0)
        >>> average.update()
        >>> with average.in_use():
        ...     round(network.weight.item() - start, 3)
        0.909
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        if not 0 <= decay < 1:
            raise ValueError(f"average: expected a decay of at least 0 and below 1; got {decay}")
        self.network = network
        self.decay = decay
        self.begin()

    def begin(self) -> None:
        """Hold the network as it is now, and nothing of what was."""
        self.steps = 0
        self._averages = {name: tensor.clone() for name, tensor in self._live().items()}

    def _live(self) -> dict[str, Tensor]:
        """What the network holds now of all that is averaged, by name; no copies."""
        tensors = self.network.state_dict().items()
        return {name: tensor for name, tensor in tensors if tensor.is_floating_point()}

    @torch.no_grad()
    def update(self) -> None:
        """Take in the network as it is behind an optimiser step."""
        self.steps += 1
        decay = min(self.decay, self.steps / (_YOUNG + self.steps))
        live = self._live()
        averages = [self._averages[name] for name in live]
        torch._foreach_lerp_(averages, list(live.values()), 1 - decay)

    @contextlib.contextmanager
    @torch.no_grad()
    def in_use(self) -> Iterator[None]:
        """The network with the averages in place; behind it, as it was."""
        live = self._live()
        kept = {name: tensor.clone() for name, tensor in live.items()}
        for name, tensor in live.items():
            tensor.copy_(self._averages[name])
        try:
            yield
        finally:
            for name, tensor in live.items():
                tensor.copy_(kept[name])

    def state_dict(self) -> dict[str, object]:
        """The averages and how many steps they have seen, for last.pt."""
        return {"steps": self.steps, "averages": self._averages}

    def load_state_dict(self, state: Mapping[str, object]) -> None:
        """Go on from what `state_dict` gave."""
        steps = state["steps"]
        averages = state["averages"]
        assert isinstance(steps, int) and isinstance(averages, Mapping)
        self.steps = steps
        for name, tensor in self._averages.items():
            tensor.copy_(averages[name])
