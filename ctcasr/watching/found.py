"""The network of a loop, found where nobody has named it: what was called before the loss."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch import nn
from torch.nn.modules.module import (
    register_module_forward_hook,
    register_module_forward_pre_hook,
)
from torch.utils.hooks import RemovableHandle


class NetworkFinder:
    """Notes the outermost modules that are called, until `stop`; every module call passes here."""

    def __init__(self) -> None:
        self.called: dict[int, nn.Module] = {}  # by id, in order
        self._depth = threading.local()
        self._handles: list[RemovableHandle] = []

    def start(self) -> None:
        """Begin to look."""
        self._handles = [
            register_module_forward_pre_hook(self._enter),
            register_module_forward_hook(self._leave, always_call=True),
        ]

    def stop(self) -> None:
        """Look no more."""
        for handle in self._handles:
            handle.remove()
        self._handles = []

    def holding(self, parameters: Iterable[nn.Parameter]) -> list[nn.Module]:
        """The modules seen that hold any of these parameters."""
        wanted = {id(parameter) for parameter in parameters}
        holding = []
        for module in self.called.values():
            if any(id(parameter) in wanted for parameter in module.parameters()):
                holding.append(module)
        return holding

    def _enter(self, module: nn.Module, args: Any) -> None:
        if torch.compiler.is_compiling():  # what holds the compiled part was called before
            return
        depth = getattr(self._depth, "calls", 0)
        if depth == 0:
            self.called[id(module)] = module
        self._depth.calls = depth + 1

    def _leave(self, module: nn.Module, args: Any, output: Any) -> None:
        if torch.compiler.is_compiling():
            return
        self._depth.calls = max(getattr(self._depth, "calls", 0) - 1, 0)


class Network:
    """The modules that a loop trains; none as long as they are not known."""

    def __init__(self, modules: Iterable[nn.Module] = ()) -> None:
        self.modules = list(modules)

    def __bool__(self) -> bool:
        return bool(self.modules)

    @property
    def training(self) -> bool:
        """Whether any of them is in training mode; so they are where none is known."""
        return not self.modules or any(module.training for module in self.modules)

    def named_parameters(self) -> Iterator[tuple[str, nn.Parameter]]:
        """Parameters by name; of several modules, with the class in front."""
        for module in self.modules:
            prefix = type(module).__name__ if len(self.modules) > 1 else ""
            yield from module.named_parameters(prefix)

    def parts(self) -> Iterator[nn.Module]:
        """All modules in them."""
        for module in self.modules:
            yield from module.modules()

    @property
    def norm_layers(self) -> int:
        """How many layers normalise by the batch."""
        return sum(isinstance(part, nn.modules.batchnorm._BatchNorm) for part in self.parts())

    @property
    def dropout(self) -> float:
        """The strongest dropout."""
        rates = [0.0]
        for part in self.parts():
            if isinstance(part, nn.Dropout):
                rates.append(part.p)
            elif isinstance(part, nn.RNNBase) and part.num_layers > 1:
                rates.append(part.dropout)
        return max(rates)
