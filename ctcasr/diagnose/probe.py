"""Looks into a network, leaving no trace: activations, statistics, parameters, features."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from ctcasr.batch import Batch
from ctcasr.diagnose.share import share_set
from ctcasr.seq import Seq

_RELU = (nn.functional.relu, nn.functional.hardtanh, torch.relu)
_CONSTANT = 1e-4  # standard deviation over time below which a row's features do not change
_NAMED = 3  # parameters that are named in a verdict


class Activations(TorchFunctionMode):
    """Sees the output of every ReLU (clipped or not) that is computed while it is entered.

    Example:
        >>> with Activations() as activations:
        ...     _ = torch.relu(torch.tensor([[[-1.0, 2.0]]]))
        >>> activations.dead_shares((1,))
        [0.5]
    """

    def __init__(self) -> None:
        super().__init__()
        self._outputs: list[Tensor] = []

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        output = func(*args, **(kwargs or {}))
        if func in _RELU and isinstance(output, Tensor) and output.dim() >= 3:
            self._outputs.append(output.detach())
        return output

    def dead_shares(self, lengths: tuple[int, ...]) -> list[float]:
        """Share of units that are zero everywhere, layer by layer.

        Outputs [B, T, ...] as long as the logits, whose `lengths` these are, are masked.
        """
        return [_dead_share(output, lengths) for output in self._outputs]


def _dead_share(output: Tensor, lengths: tuple[int, ...]) -> float:
    """Share of the units of one output [B, T, F] or [B, C, T, F] that are zero everywhere."""
    if output.dim() == 3:
        largest = _masked(output, lengths).amax((0, 1))
    else:
        largest = output.amax((0, 1, 3))
    dead = largest <= 0
    return share_set(dead)


def _masked(output: Tensor, lengths: tuple[int, ...]) -> Tensor:
    """Output [B, T, F] with zeros where there is padding, if its T is that of the logits."""
    if output.shape[1] != max(lengths, default=0):
        return output
    counts = torch.tensor(lengths, device=output.device)
    steps = torch.arange(output.shape[1], device=output.device)
    padding = steps >= counts[:, None]
    return output.masked_fill(padding[:, :, None], 0.0)


@contextmanager
def batch_statistics(network: nn.Module) -> Iterator[int]:
    """Within, normalisation works by the batch, as in training, and dropout as in evaluation.

    Yields how many layers that changes; modes and buffers are afterwards what they were.
    """
    modes = {module: module.training for module in network.modules()}
    buffers = {name: buffer.clone() for name, buffer in network.named_buffers()}
    network.train()
    for module in network.modules():
        if "Dropout" in type(module).__name__:
            module.eval()
    try:
        yield sum(hasattr(module, "running_mean") for module in modes)
    finally:
        for name, buffer in network.named_buffers():
            if name in buffers:
                buffer.copy_(buffers[name])
        for module, training in modes.items():
            module.training = training


@dataclass(frozen=True)
class ParameterStats:
    """Shares of a network's parameters, and norms of its last gradient by layer."""

    frozen: float  # not trained
    frozen_names: Sequence[str]  # the first of them
    still: float  # unmoved since the last look
    left: float  # unmoved although they have a gradient
    left_names: Sequence[str]
    watched: bool  # whether there was a last look
    gradients: Mapping[str, float]
    dropout: float  # the strongest
    cut_off: float  # trained, but no gradient has ever reached them, while it has reached others
    cut_off_names: Sequence[str]
    size: float  # length of all weights (not of biases and scales) together


def fingerprints(network: nn.Module) -> dict[str, str]:
    """A digest of every parameter by name, by which one knows later whether it has moved."""
    return {name: _fingerprint(parameter) for name, parameter in network.named_parameters()}


def _fingerprint(parameter: Tensor) -> str:
    values = parameter.detach().cpu().contiguous().reshape(-1)
    raw_bytes = values.view(torch.uint8).numpy().data
    return hashlib.blake2b(raw_bytes, digest_size=16).hexdigest()


def parameter_stats(
    network: nn.Module,
    trained: Iterable[nn.Parameter],
    before: Mapping[str, str],
    now: Mapping[str, str],
) -> ParameterStats:
    """What is trained, has a gradient, and has moved from the fingerprints `before` to `now`.

    Example:
        >>> layer = nn.Linear(3, 1)
        >>> same = fingerprints(layer)
        >>> stats = parameter_stats(layer, [layer.weight], same, same)
        >>> stats.frozen, stats.frozen_names, stats.still
        (0.25, ['bias'], 1.0)
    """
    parameters = dict(network.named_parameters())
    trained_ids = {id(parameter) for parameter in trained}
    some_gradient = any(parameter.grad is not None for parameter in parameters.values())
    frozen = []
    cut_off = []
    still = []
    left = []
    for name, parameter in parameters.items():
        if not parameter.requires_grad or id(parameter) not in trained_ids:
            frozen.append(name)
        elif some_gradient and parameter.grad is None:
            cut_off.append(name)
        if name in before and now[name] == before[name]:
            still.append(name)
            # Receives a gradient, does not move: missing from the optimiser.
            if _has_gradient(parameter):
                left.append(name)
    total = max(sum(parameter.numel() for parameter in parameters.values()), 1)

    def share(names: Sequence[str]) -> float:
        return sum(parameters[name].numel() for name in names) / total

    dropouts = [module.p for module in network.modules() if isinstance(module, nn.Dropout)]
    return ParameterStats(
        frozen=share(frozen),
        frozen_names=frozen[:_NAMED],
        still=share(still),
        left=share(left),
        left_names=left[:_NAMED],
        watched=bool(before),
        gradients=_gradient_norms(parameters),
        dropout=max(dropouts, default=0.0),
        cut_off=share(cut_off),
        cut_off_names=cut_off[:_NAMED],
        size=weights_size(network),
    )


def weights_size(network: nn.Module) -> float:
    """Length of all weights together; biases and the scales of normalisation are left out.

    Example:
        >>> layer = nn.Linear(4, 1)
        >>> _ = nn.init.ones_(layer.weight)
        >>> weights_size(layer)
        2.0
    """
    squares = 0.0
    for parameter in network.parameters():
        if parameter.dim() > 1:
            squares += float(parameter.detach().float().square().sum())
    return math.sqrt(squares)


def _has_gradient(parameter: nn.Parameter) -> bool:
    return parameter.grad is not None and bool((parameter.grad != 0).any())


def _gradient_norms(parameters: Mapping[str, nn.Parameter]) -> dict[str, float]:
    """Norm of the last gradient, layer by layer."""
    squares: dict[str, float] = {}
    for name, parameter in parameters.items():
        if parameter.grad is not None:
            layer = name.rpartition(".")[0]
            squares[layer] = squares.get(layer, 0.0) + float(parameter.grad.square().sum())
    return {layer: square**0.5 for layer, square in squares.items()}


@dataclass(frozen=True)
class FeatureStats:
    """Features of the front-end over real frames, and whether training hears the same."""

    features_finite: float  # share of the values
    features_constant: float  # share of the rows that do not change over time
    features_mean: float
    features_std: float
    features_mode_gap: float  # relative difference between training and evaluation mode
    features_normalised: float  # 1 where the front-end normalises, else 0


def feature_stats(network: nn.Module, batch: Batch) -> FeatureStats | None:
    """Statistics of the features of a batch; None where the network has no front-end.

    The network must be in evaluation mode, and is so afterwards.
    """
    front = getattr(network, "front", None)
    if front is None:
        return None
    features: Seq = front(batch.audio)
    network.train()
    try:
        in_training: Seq = front(batch.audio)
    finally:
        network.eval()
    frames = features.data[features.mask]
    finite_frames = frames.nan_to_num(0.0, 0.0, 0.0)
    difference = (in_training.data - features.data).square().mean().sqrt()
    size = features.data.square().mean().sqrt().clamp_min(1e-6)
    normalises = hasattr(front, "norm") and getattr(front.norm, "normalises", True)
    return FeatureStats(
        features_finite=share_set(frames.isfinite()),
        features_constant=_constant_share(features),
        features_mean=float(finite_frames.mean()),
        features_std=float(finite_frames.std()),
        features_mode_gap=float(difference / size),
        features_normalised=float(normalises),
    )


def _constant_share(features: Seq) -> float:
    """Share of the rows of more than one frame whose features do not change over time."""
    constant = 0
    rows = 0
    for row in range(len(features)):
        frames = features.row(row).float().nan_to_num(0.0, 0.0, 0.0)
        if len(frames) > 1:
            rows += 1
            spread = float(frames.std(0).mean())
            constant += spread < _CONSTANT
    return constant / max(rows, 1)
