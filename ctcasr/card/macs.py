"""Counts multiply-adds by watching every module of a network while it runs once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from ctcasr.card.rules import Rule, RuleSet, Shape
from ctcasr.seq import Seq


@dataclass
class Count:
    """Multiply-adds of one run, by the type of module and by its place, and what no rule was found for."""

    rules: str
    by_type: Counter[str] = field(default_factory=Counter)
    by_place: Counter[str] = field(default_factory=Counter)
    fft: int = 0  # Fourier transforms, not in the total
    unknown: dict[str, str] = field(default_factory=dict)  # place -> type

    @property
    def macs(self) -> int:
        """Multiply-adds without Fourier transforms."""
        return self.by_type.total()


def count(network: nn.Module, run: Callable[[], Any], rules: RuleSet) -> Count:
    """Run the network once in evaluation mode and count what each module does, by `rules`."""
    found = Count(rules.name)
    was_training = network.training
    network.eval()
    with _watched(network, rules, found), torch.no_grad(), _no_fast_path():
        run()
    network.train(was_training)
    return found


@contextmanager
def _watched(network: nn.Module, rules: RuleSet, found: Count) -> Iterator[None]:
    handles = []
    for place, module, rule in _counted(network, rules, found):

        def hook(
            module: nn.Module,
            args: Any,
            kwargs: Any,
            output: Any,
            place: str = place,
            rule: Rule = rule,
        ) -> None:
            cost = rule(
                module,
                _shapes((*args, *kwargs.values())),
                _shapes(output if isinstance(output, tuple) else (output,)),
            )
            if cost.macs:
                found.by_type[type(module).__name__] += cost.macs
                found.by_place[place] += cost.macs
            found.fft += cost.fft

        handles.append(module.register_forward_hook(hook, with_kwargs=True))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _counted(
    module: nn.Module, rules: RuleSet, found: Count, place: str = ""
) -> Iterator[tuple[str, nn.Module, Rule]]:
    """Each module with a rule; one without, that has no children to speak for it or parameters of its own, is unknown."""
    rule = rules.find(module, rules.whole)
    if rule is not None:
        yield place, module, rule
        return
    beside = rules.find(module, rules.beside)
    if beside is not None:
        yield place, module, beside
    children = list(module.named_children())
    holds = any(True for _ in module.parameters(recurse=False))
    if (
        rules.strict
        and beside is None
        and (
            holds
            or not (children or isinstance(module, nn.ModuleList | nn.ModuleDict | nn.Sequential))
        )
    ):
        found.unknown[place or "the network"] = type(module).__name__
    for name, child in children:
        yield from _counted(child, rules, found, f"{place}.{name}" if place else name)


def _shapes(values: tuple[Any, ...]) -> tuple[Shape, ...]:
    """Shapes of the tensors and sequences among values."""
    tensors = [value.data if isinstance(value, Seq) else value for value in values]
    return tuple(tuple(tensor.shape) for tensor in tensors if isinstance(tensor, Tensor))


@contextmanager
def _no_fast_path() -> Iterator[None]:
    """Transformer layers take a fused way in evaluation that calls none of their modules."""
    enabled = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(enabled)
