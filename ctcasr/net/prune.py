"""Magnitude pruning while training (Zhu and Gupta 2017, arXiv 1710.01878): masks as buffers, so that checkpoints hold them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

_MASK = "weight_mask"


@dataclass(frozen=True)
class Schedule:
    """Sparsity s(t) = final + (initial - final) (1 - (t - t0) / (t1 - t0))^3 between two shares of the training."""

    initial: float = 0.20
    final: float = 0.85
    begin: float = 0.2  # share of training at which pruning begins
    end: float = 0.7  # and at which the final sparsity is reached; the rest heals
    every: int = 100  # steps between two choices of the masks

    def __post_init__(self) -> None:
        if (
            not 0 <= self.initial <= self.final < 1
            or not 0 <= self.begin < self.end <= 1
            or self.every < 1
        ):
            raise ValueError(
                f"expected 0 <= initial <= final < 1, 0 <= begin < end <= 1, every >= 1; got {self}"
            )

    def sparsity(self, step: int, total: int) -> float:
        """Share of the weights that is zero at `step` of `total`; 0 before pruning begins."""
        done = (step / max(1, total) - self.begin) / (self.end - self.begin)
        if done < 0:
            return 0.0
        return self.final + (self.initial - self.final) * (1 - min(1.0, done)) ** 3

    def due(self, step: int, total: int) -> bool:
        """Whether masks are chosen anew at `step`: every so many steps, and once where the final sparsity is reached."""
        last = -int(-self.end * total // 1)
        return step == last or (self.begin * total <= step < last and step % self.every == 0)


class Pruner:
    """Keeps the smallest weights of every dense layer of `network` at zero; the masks are buffers of its layers."""

    def __init__(self, network: nn.Module, schedule: Schedule) -> None:
        self.network, self.schedule = network, schedule
        for layer in _layers(network):
            layer.register_buffer(_MASK, torch.ones_like(layer.weight, dtype=torch.bool))

    @torch.no_grad()
    def after_step(self, step: int, total: int) -> None:
        """Choose the masks where it is time to, and put the masked weights back to zero."""
        if self.schedule.due(step, total):
            share = self.schedule.sparsity(step, total)
            for layer in _layers(self.network):
                layer.get_buffer(_MASK).copy_(_largest(layer.weight, share))
        for layer in _layers(self.network):
            layer.weight.mul_(layer.get_buffer(_MASK))

    @property
    def lacking(self) -> float:
        """1 until the final sparsity is reached, then 0."""
        return float(sparsity(self.network) < self.schedule.final - 0.01)


def sparsity(network: nn.Module) -> float:
    """Share of the weights of the dense layers that is exactly zero."""
    weights = [layer.weight for layer in _layers(network)]
    return sum(int((w == 0).sum()) for w in weights) / max(1, sum(w.numel() for w in weights))


def make_room(network: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Give `network` the mask buffers that a pruned network's state has, so that it can be loaded."""
    for name, layer in network.named_modules():
        if f"{name}.{_MASK}" in state:
            layer.register_buffer(_MASK, torch.ones_like(state[f"{name}.{_MASK}"]))


def _layers(network: nn.Module) -> Iterator[nn.Conv2d | nn.Linear]:
    """Fully connected and ordinary convolutional layers; those of one weight per channel and tap have nothing to spare."""
    for module in network.modules():
        if isinstance(module, nn.Linear) or (isinstance(module, nn.Conv2d) and module.groups == 1):
            yield module


def _largest(weight: Tensor, share: float) -> Tensor:
    """Mask of `weight` that leaves out the share of smallest magnitude."""
    out = round(share * weight.numel())
    mask = torch.ones(weight.numel(), dtype=torch.bool, device=weight.device)
    mask[weight.abs().flatten().argsort(stable=True)[:out]] = False
    return mask.view_as(weight)
