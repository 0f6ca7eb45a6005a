"""Counts multiply-adds by watching every module of a network while it runs once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from ctcasr.card.rules import Call, Rule, RuleSet, Shape
from ctcasr.seq import Seq

CONTAINERS = (nn.ModuleList, nn.ModuleDict, nn.Sequential)


@dataclass
class Count:
    """Multiply-adds of one run, and what no rule was found for."""

    rules: str
    by_type: Counter[str] = field(default_factory=Counter)  # of the module
    by_place: Counter[str] = field(default_factory=Counter)
    fft: int = 0  # Fourier transforms, not in the total
    unknown: dict[str, str] = field(default_factory=dict)  # place -> type

    @property
    def macs(self) -> int:
        """Multiply-adds without Fourier transforms."""
        return self.by_type.total()


def count(network: nn.Module, run: Callable[[], Any], rules: RuleSet) -> Count:
    """Run the network once in evaluation mode and count what each module does, by `rules`.

    Example:
        >>> from ctcasr.card import OWN
        >>> linear = nn.Linear(8, 4)
        >>> count(linear, lambda: linear(torch.zeros(10, 8)), OWN).macs
        320
    """
    counted = Count(rules.name)
    was_training = network.training
    network.eval()
    with _watched(network, rules, counted), torch.no_grad(), _no_fast_path():
        run()
    network.train(was_training)
    return counted


@contextmanager
def _watched(network: nn.Module, rules: RuleSet, counted: Count) -> Iterator[None]:
    """Every module with a rule is counted when it is called."""
    handles = []
    for place, module, rule in _with_rules(network, rules, counted):
        hook = _Hook(place, rule, counted)
        handles.append(module.register_forward_hook(hook, with_kwargs=True))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


@dataclass(frozen=True)
class _Hook:
    """Adds the cost of each call of a module."""

    place: str
    rule: Rule
    counted: Count

    def __call__(
        self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any
    ) -> None:
        outputs = output if isinstance(output, tuple) else (output,)
        call = Call(module, _shapes((*args, *kwargs.values())), _shapes(outputs))
        cost = self.rule(call)
        if cost.macs:
            self.counted.by_type[type(module).__name__] += cost.macs
            self.counted.by_place[self.place] += cost.macs
        self.counted.fft += cost.fft


def _with_rules(
    module: nn.Module, rules: RuleSet, counted: Count, place: str = ""
) -> Iterator[tuple[str, nn.Module, Rule]]:
    """Each module with a rule; what has none, and nobody to speak for it, is unknown."""
    whole = rules.find(module, rules.whole)
    if whole is not None:
        yield place, module, whole
        return
    beside = rules.find(module, rules.beside)
    if beside is not None:
        yield place, module, beside
    elif rules.strict and _needs_a_rule(module):
        counted.unknown[place or "the network"] = type(module).__name__
    for name, child in module.named_children():
        child_place = f"{place}.{name}" if place else name
        yield from _with_rules(child, rules, counted, child_place)


def _needs_a_rule(module: nn.Module) -> bool:
    """Whether a module has parameters of its own, or no children that speak for it."""
    if any(True for _ in module.parameters(recurse=False)):
        return True
    has_children = any(True for _ in module.children())
    return not has_children and not isinstance(module, CONTAINERS)


def _shapes(values: Sequence[Any]) -> tuple[Shape, ...]:
    """Shapes of the tensors and sequences among values."""
    shapes = []
    for value in values:
        tensor = value.data if isinstance(value, Seq) else value
        if isinstance(tensor, Tensor):
            shapes.append(tuple(tensor.shape))
    return tuple(shapes)


@contextmanager
def _no_fast_path() -> Iterator[None]:
    """Transformer layers take a fused way in evaluation that calls none of their modules."""
    enabled = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(enabled)
