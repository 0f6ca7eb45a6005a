"""The parameters behind a loss: which ones an optimiser knows, and which ones move."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from torch import Tensor, nn

from ctcasr.watching.optimisers import ParameterSample, parameters_behind

NAMED = 3  # parameters that are named where a cause tells of some


class ParameterWatch:
    """Follows the parameters that the gradient of a loss flows into."""

    def __init__(self, model: nn.Module | None = None) -> None:
        self.model = model
        self.behind_loss: list[nn.Parameter] = []
        self._in_optimisers: set[int] = set()  # ids
        self._at_last_look: ParameterSample | None = None
        self._evidence: dict[str, Any] = {}
        self._looked_at_step = -1

    def learn_from(self, loss: Tensor) -> None:
        """Find the parameters in the graph of the first training loss."""
        if not self.behind_loss:
            self.behind_loss = parameters_behind(loss)
            self._at_last_look = ParameterSample.of(self.behind_loss)

    def take_step(self, parameters: Iterable[nn.Parameter]) -> bool:
        """An optimiser has moved these; False where it is that of another network."""
        moved = {id(parameter) for parameter in parameters}
        if self.behind_loss and not any(id(parameter) in moved for parameter in self.behind_loss):
            return False
        self._in_optimisers.update(moved)
        return True

    def evidence(self, step: int) -> dict[str, Any]:
        """Which parameters are in no optimiser, or have not moved since the last look.

        Shares `frozen`, `still` and `left`, and some names: `frozen_names`, `left_names`.
        """
        if step == self._looked_at_step:  # nothing can have moved since
            return self._evidence
        unmoved = []
        if self._at_last_look is not None:
            unmoved = self._at_last_look.unmoved(self.behind_loss)
        unknown = self._unknown_to_optimisers()
        left = [parameter for parameter in unmoved if has_gradient(parameter)]
        self._at_last_look = ParameterSample.of(self.behind_loss)
        self._looked_at_step = step
        self._evidence = {
            "frozen": self._share(unknown),
            "frozen_names": self._names(unknown),
            "still": self._share(unmoved),
            "left": self._share(left),
            "left_names": self._names(left),
            "watched": True,
            "gradients": {},
        }
        return self._evidence

    def _unknown_to_optimisers(self) -> list[nn.Parameter]:
        if not self._in_optimisers:  # no step was taken yet
            return []
        in_optimisers = self._in_optimisers
        return [parameter for parameter in self.behind_loss if id(parameter) not in in_optimisers]

    def _share(self, parameters: Iterable[nn.Parameter]) -> float:
        total = sum(parameter.numel() for parameter in self.behind_loss)
        return sum(parameter.numel() for parameter in parameters) / max(total, 1)

    def _names(self, parameters: Sequence[nn.Parameter]) -> list[str]:
        """Names of the first few: the model's, or their shapes."""
        known: dict[int, str] = {}
        if self.model is not None:
            for name, parameter in self.model.named_parameters():
                known[id(parameter)] = name
        names = []
        for parameter in parameters[:NAMED]:
            shape = tuple(parameter.shape)
            names.append(known.get(id(parameter), f"a parameter of shape {shape}"))
        return names


def has_gradient(parameter: nn.Parameter) -> bool:
    """Whether a gradient is there that is not zero everywhere."""
    if parameter.grad is None:
        return False
    return bool((parameter.grad != 0).any())
