"""The parameters behind a loss: which ones an optimiser knows, and which ones move."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from torch import Tensor, nn
from torch.optim import Optimizer

from ctcasr.watching.found import Network, NetworkFinder
from ctcasr.watching.graph import dead_shares, parameters_behind
from ctcasr.watching.optimisers import ParameterSample, gradient_of, parameters_of

GRADIENT_FLOOR = 1e-8  # below which optimisers as Adam do not follow
NAMED = 3  # parameters that are named where a cause tells of some


class ParameterWatch:
    """Follows the parameters that the gradient of a loss flows into."""

    def __init__(self, model: nn.Module | None = None) -> None:
        self.network = Network([] if model is None else [model])
        self.behind_loss: list[nn.Parameter] = []
        self.dead: list[float] = []  # share of dead units, ReLU by ReLU
        self._finder = NetworkFinder()
        self._in_optimisers: set[int] = set()  # ids
        self._ours: dict[int, int] = {}  # parameters of the optimisers that move this network
        self._at_last_look: ParameterSample | None = None
        self._evidence: dict[str, Any] = {}
        self._looked_at_step = -1

    def start(self) -> None:
        """Look for the network, where nobody has named it."""
        if not self.network:
            self._finder.start()

    def stop(self) -> None:
        """Look no more."""
        self._finder.stop()

    def learn_from(self, loss: Tensor) -> None:
        """Find the parameters in the graph of the first training loss, and their network."""
        if self.behind_loss:
            return
        self.behind_loss = parameters_behind(loss)
        if self.behind_loss:
            self._finder.stop()
            self._find_network([])
        self._at_last_look = ParameterSample.of(self.behind_loss)

    def look_at_units(self, loss: Tensor, frames: int) -> None:
        """See which units of ReLUs are dead, in the graph of a training loss."""
        self.dead = dead_shares(loss, frames)

    def take_step(self, optimiser: Optimizer) -> bool:
        """An optimiser has moved its parameters; False where it is that of another network."""
        count = sum(len(group["params"]) for group in optimiser.param_groups)
        if self._ours.get(id(optimiser)) == count:  # as at its last step
            return True
        moved = {id(parameter) for parameter in parameters_of(optimiser)}
        if self.behind_loss and not any(id(parameter) in moved for parameter in self.behind_loss):
            return False
        self._in_optimisers.update(moved)
        if self.behind_loss:
            self._ours[id(optimiser)] = count
            self._find_network(parameters_of(optimiser))
        return True

    def _find_network(self, parameters: Iterable[nn.Parameter]) -> None:
        """The modules that hold parameters of the loss, or these (which may be frozen)."""
        found = self._finder.holding([*self.behind_loss, *parameters])
        if found:
            self.network = Network(found)

    def evidence(self, step: int) -> dict[str, Any]:
        """Which parameters are in no optimiser, or have not moved since the last look.

        Shares `frozen`, `still` and `left`, and some names: `frozen_names`, `left_names`. What was
        frozen by `requires_grad` may be meant: it is `asleep`, and the caller decides.
        """
        if step == self._looked_at_step:  # nothing can have moved since
            return self._evidence
        unmoved = []
        if self._at_last_look is not None:
            unmoved = self._at_last_look.unmoved(self.behind_loss)
        unknown = self._unknown_to_optimisers()
        asleep = self._asleep()
        left = [parameter for parameter in unmoved if has_gradient(parameter)]
        self._at_last_look = ParameterSample.of(self.behind_loss)
        self._looked_at_step = step
        self._evidence = {
            "frozen": self._share(unknown),
            "frozen_names": self._names(unknown),
            "still": self._share(unmoved),
            "left": self._share(left),
            "left_names": self._names(left),
            "asleep": self._share(asleep),
            "asleep_names": self._names(asleep),
            "dropout": self.network.dropout,
            "watched": True,
            "gradients": {},
        }
        return self._evidence

    def _unknown_to_optimisers(self) -> list[nn.Parameter]:
        if not self._in_optimisers:  # no step was taken yet
            return []
        in_optimisers = self._in_optimisers
        return [parameter for parameter in self.behind_loss if id(parameter) not in in_optimisers]

    def _asleep(self) -> list[nn.Parameter]:
        """Parameters of the network that ask for no gradient."""
        parameters = [parameter for _, parameter in self.network.named_parameters()]
        return [parameter for parameter in parameters if not parameter.requires_grad]

    def _share(self, parameters: Iterable[nn.Parameter]) -> float:
        """Share of all values: of those behind the loss, and those that are frozen."""
        values = {id(parameter): parameter.numel() for parameter in self.behind_loss}
        values.update({id(parameter): parameter.numel() for parameter in self._asleep()})
        counted = sum(parameter.numel() for parameter in parameters)
        return counted / max(sum(values.values()), 1)

    def _names(self, parameters: Sequence[nn.Parameter]) -> list[str]:
        """Names of the first few: the network's, or their shapes."""
        known = {id(parameter): name for name, parameter in self.network.named_parameters()}
        names = []
        for parameter in parameters[:NAMED]:
            shape = tuple(parameter.shape)
            names.append(known.get(id(parameter), f"a parameter of shape {shape}"))
        return names


def has_gradient(parameter: nn.Parameter) -> bool:
    """Whether a gradient is there by which a parameter might move."""
    gradient = gradient_of(parameter)
    if gradient is None or not gradient.numel():
        return False
    largest = gradient.abs().amax()
    return bool(largest > GRADIENT_FLOOR)
