"""Pruning by magnitude while training, with masks as buffers, so that checkpoints hold them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

_MASK = "weight_mask"
_TOLERANCE = 0.01  # of sparsity: whole weights cannot meet every share


@dataclass(frozen=True)
class Schedule:
    """Sparsity between two shares of the training, rising fast at first (Zhu and Gupta 2017).

    s(t) = final + (initial - final) (1 - (t - t0) / (t1 - t0))^3, arXiv 1710.01878.

    Raises:
        ValueError: for shares outside 0..1 or out of order.

    Example:
        >>> schedule = Schedule(initial=0.0, final=0.8, begin=0.0, end=0.5)
        >>> round(schedule.sparsity(250, total=1000), 3)
        0.7
    """

    initial: float = 0.20
    final: float = 0.85
    begin: float = 0.2  # share of training at which pruning begins
    end: float = 0.7  # and at which the final sparsity is reached; the rest heals
    every: int = 100  # steps between two choices of the masks

    def __post_init__(self) -> None:
        rising = 0 <= self.initial <= self.final < 1
        in_order = 0 <= self.begin < self.end <= 1
        if not (rising and in_order and self.every >= 1):
            raise ValueError(
                f"expected 0 <= initial <= final < 1, 0 <= begin < end <= 1, every >= 1; got {self}"
            )

    def sparsity(self, step: int, total: int) -> float:
        """Share of the weights that is zero at `step` of `total`; 0 before pruning begins."""
        share_done = step / max(1, total)
        progress = (share_done - self.begin) / (self.end - self.begin)
        if progress < 0:
            return 0.0
        left = (1 - min(1.0, progress)) ** 3
        return self.final + (self.initial - self.final) * left

    def due(self, step: int, total: int) -> bool:
        """Whether masks are chosen anew at `step`.

        Every so many steps, and once where the final sparsity is reached.
        """
        last = math.ceil(self.end * total)
        if step == last:
            return True
        return self.begin * total <= step < last and step % self.every == 0


class Pruner:
    """Keeps the smallest weights of every dense layer of `network` at zero.

    The masks are buffers of its layers.

    Example:
        >>> network = nn.Sequential(nn.Linear(10, 10))
        >>> pruner = Pruner(network, Schedule(final=0.5, every=1))
        >>> pruner.after_step(step=7, total=10)
        >>> sparsity(network)
        0.5
    """

    def __init__(self, network: nn.Module, schedule: Schedule) -> None:
        self.network = network
        self.schedule = schedule
        for layer in _dense_layers(network):
            layer.register_buffer(_MASK, torch.ones_like(layer.weight, dtype=torch.bool))

    @torch.no_grad()
    def after_step(self, step: int, total: int) -> None:
        """Choose the masks where it is time to, and put the masked weights back to zero."""
        if self.schedule.due(step, total):
            share = self.schedule.sparsity(step, total)
            for layer in _dense_layers(self.network):
                layer.get_buffer(_MASK).copy_(_largest(layer.weight, share))
        for layer in _dense_layers(self.network):
            layer.weight.mul_(layer.get_buffer(_MASK))

    @property
    def lacking(self) -> float:
        """1 until the final sparsity is reached, then 0."""
        return float(sparsity(self.network) < self.schedule.final - _TOLERANCE)


def sparsity(network: nn.Module) -> float:
    """Share of the weights of the dense layers that is exactly zero."""
    zeros = 0
    weights = 0
    for layer in _dense_layers(network):
        zeros += int((layer.weight == 0).sum())
        weights += layer.weight.numel()
    return zeros / max(1, weights)


def add_mask_buffers(network: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Give `network` the masks that a pruned network's state has, so that it can be loaded."""
    for name, layer in network.named_modules():
        mask = state.get(f"{name}.{_MASK}")
        if mask is not None:
            layer.register_buffer(_MASK, torch.ones_like(mask))


def _dense_layers(network: nn.Module) -> Iterator[nn.Conv2d | nn.Linear]:
    """Fully connected and ordinary convolutional layers.

    Those of one weight per channel and tap have nothing to spare.
    """
    for module in network.modules():
        is_conv = isinstance(module, nn.Conv2d) and module.groups == 1
        if is_conv or isinstance(module, nn.Linear):
            yield module  # type: ignore[misc]


def _largest(weight: Tensor, share: float) -> Tensor:
    """Mask of `weight` that leaves out the share of smallest magnitude."""
    pruned = round(share * weight.numel())
    order = weight.abs().flatten().argsort(stable=True)
    mask = torch.ones(weight.numel(), dtype=torch.bool, device=weight.device)
    mask[order[:pruned]] = False
    return mask.view_as(weight)
