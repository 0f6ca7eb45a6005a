"""The optimiser, and its learning rate at any moment of training."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import torch
from torch import nn

from ctcasr.train.config import SCHEDULES, TrainConfig

_LEAST = 1e-4  # share of the highest rate that a fall towards nothing ends at
_FIRST = 1e-3  # share of the highest rate that plain warm-up begins at
_ONE_CYCLE_START = 25  # one-cycle begins at this part of its top (Smith and Topin 2017)
_EXPONENTIAL_END = 0.01  # share of the highest rate that an exponential fall ends at
_RANGE_START = 1e-4  # a range test rises over four decades (Smith 2017, arXiv 1506.01186)
_DROP_AT = 9 / 13  # 45 epochs of 65, and the last 20 at a tenth
_NO_TIME = 1e-9  # of training behind the warm-up, so that nothing is divided by zero


def make_optimiser(
    config: TrainConfig, parameters: Iterable[nn.Parameter]
) -> torch.optim.Optimizer:
    """The optimiser; weight decay touches matrices only, neither biases nor BatchNorm.

    Raises:
        ValueError: where the config names none that there is.
    """
    parameters = list(parameters)
    groups = [
        {"params": [p for p in parameters if p.dim() > 1], "weight_decay": config.weight_decay},
        {"params": [p for p in parameters if p.dim() <= 1], "weight_decay": 0.0},
    ]
    # One kernel moves all, on CUDA unless the device has found that it must not. (torch's for SGD
    # would then begin with a momentum that nobody has written.)
    kinds = {p.device.type for p in parameters}
    # That of a CPU takes the numbers of a parameter to lie side by side.
    dense = kinds == {"cpu"} and all(p.is_contiguous() for p in parameters)
    fused = kinds == {"cuda"} or dense or None
    if config.optimiser == "adamw":
        return torch.optim.AdamW(groups, lr=config.lr, fused=fused)
    if config.optimiser == "adam":
        return torch.optim.Adam(groups, lr=config.lr, fused=fused)
    if config.optimiser == "sgd":
        return torch.optim.SGD(groups, lr=config.lr, momentum=0.9, nesterov=True)
    if config.optimiser == "rmsprop":
        return torch.optim.RMSprop(groups, lr=config.lr)
    raise ValueError(f"optimiser: expected adamw, adam, sgd or rmsprop; got {config.optimiser!r}")


def learning_rate(config: TrainConfig, progress: float, waits: Sequence[int] = ()) -> float:
    """The learning rate at `progress` 0..1 of training.

    `waits` tell behind each check how many there were since the best one (for "plateau").

    Raises:
        ValueError: where the config's schedule is none that there is.

    Example:
        >>> config = TrainConfig(lr=1.0, schedule="linear", warmup=0.0)
        >>> [round(learning_rate(config, share), 2) for share in (0.0, 0.5, 0.75)]
        [1.0, 0.5, 0.25]
    """
    _refuse_bad_schedule(config)
    if config.schedule == "constant":
        return config.lr
    if config.schedule == "range":
        return config.lr * math.pow(_RANGE_START, 1 - progress)
    if progress < config.warmup:
        return config.lr * _warm_up(config.schedule, progress / config.warmup)
    if config.schedule == "drop":
        return config.lr * (1.0 if progress < _DROP_AT else 0.1)
    if config.schedule == "plateau":
        return config.lr * config.decay ** _plateaus(waits, config.decay_after)
    fallen = (progress - config.warmup) / max(_NO_TIME, 1 - config.warmup)
    return config.lr * _fall(config, fallen)


def _refuse_bad_schedule(config: TrainConfig) -> None:
    """ValueError for a schedule or numbers of it that there cannot be."""
    if config.schedule not in SCHEDULES:
        raise ValueError(
            f"schedule: expected one of {', '.join(SCHEDULES)}; got {config.schedule!r}"
        )
    if not (0 <= config.floor <= 1 and 0 < config.decay <= 1 and config.decay_after >= 1):
        raise ValueError(
            "expected floor within 0..1, decay above 0 and at most 1, decay_after >= 1; "
            f"got {config.floor}, {config.decay}, {config.decay_after}"
        )


def _warm_up(schedule: str, risen: float) -> float:
    """Share of the highest rate at 0..1 of the warm-up."""
    if schedule == "onecycle":
        return (1 + (_ONE_CYCLE_START - 1) * risen) / _ONE_CYCLE_START
    return max(risen, _FIRST)


def _fall(config: TrainConfig, fallen: float) -> float:
    """Share of the highest rate at 0..1 of the fall behind the warm-up."""
    if config.schedule == "exponential":
        return math.pow(_EXPONENTIAL_END, min(1.0, fallen))
    if config.schedule == "linear":
        return _above(config.floor, 1 - fallen)
    assert config.schedule in ("onecycle", "cosine"), config.schedule
    return _above(config.floor, (1 + math.cos(math.pi * min(1.0, fallen))) / 2)


def _above(floor: float, share: float) -> float:
    """`share` 1..0 of a fall as one that ends at `floor`; never nothing."""
    return max(floor or _LEAST, floor + (1 - floor) * share)


def _plateaus(waits: Sequence[int], patience: int) -> int:
    """How often `patience` checks in a row brought nothing better."""
    return sum(wait > 0 and wait % patience == 0 for wait in waits)
