"""What the graph of a loss shows before its gradient is asked for: parameters, and dead ReLUs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from ctcasr.diagnose.share import share_set


def nodes_behind(loss: Tensor) -> Iterator[Any]:
    """The nodes of a loss's graph, each once, the last computed first."""
    waiting = [loss.grad_fn]
    visited: set[Any] = set()
    while waiting:
        node = waiting.pop()
        if node is None or node in visited:
            continue
        visited.add(node)
        yield node
        waiting.extend(following for following, _ in node.next_functions)


def parameters_behind(loss: Tensor) -> list[nn.Parameter]:
    """The leaves that a loss's gradient flows into."""
    leaves: dict[int, nn.Parameter] = {}
    for node in nodes_behind(loss):
        variable = getattr(node, "variable", None)
        if isinstance(variable, nn.Parameter):
            leaves[id(variable)] = variable
    return list(leaves.values())


@torch.no_grad()
def dead_shares(loss: Tensor, frames: int) -> list[float]:
    """Share of units that are zero everywhere, for each ReLU behind a loss of so many frames.

    The first layer's first. Outputs whose axis of units is not known are left out.
    """
    shares = []
    for node in nodes_behind(loss):
        if type(node).__name__ != "ReluBackward0":
            continue
        try:
            output = node._saved_result
        except RuntimeError:  # the gradient was asked for already
            continue
        axis = axis_of_units(output, frames)
        if axis is not None and output.numel():
            largest = output.transpose(0, axis).flatten(1).amax(1)
            shares.append(share_set(largest <= 0))
    return shares[::-1]


def axis_of_units(output: Tensor, frames: int) -> int | None:
    """The axis of channels or units of a layer's output; None where nothing tells it.

    >>> axis_of_units(torch.zeros(8, 24, 32), frames=24)
    2
    """
    if output.dim() in (2, 4, 5):  # [B T, F], [B, C, H, W]
        return 1
    if output.dim() != 3:
        return None
    if output.shape[1] == frames or output.shape[0] == frames:  # [B, T, F], [T, B, F]
        return 2
    return 1 if output.shape[2] == frames else None  # [B, C, T]
