"""How long, how fast and in what order to train: a frozen dataclass, the optimiser and the learning rate at any moment."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

SCHEDULES = ("onecycle", "cosine", "linear", "exponential", "plateau", "drop", "constant", "range")


def option(default: Any, text: str) -> Any:
    """A field of settings with its help text."""
    return field(default=default, metadata={"help": text})


def required(text: str) -> Any:
    """A field of settings that must be given."""
    return field(kw_only=True, metadata={"help": text})


@dataclass(frozen=True)
class TrainConfig:
    """What `fit` needs to know; recipes inherit it and add their own settings."""

    epochs: int = option(60, "passes over the training data")
    budget: str = option("", "time to train, as 90s, 30m or 8h: the epochs are fitted to it")
    optimiser: str = option("adamw", "adamw, adam (L2 weight decay), sgd or rmsprop")
    lr: float = option(2e-3, "highest learning rate")
    weight_decay: float = option(1e-2, "decoupled (adamw) or L2 weight decay")
    schedule: str = option(
        "onecycle",
        "onecycle, cosine, linear, exponential, plateau, drop, constant or range (a range test)",
    )
    warmup: float = option(0.1, "share of training in which the learning rate rises")
    floor: float = option(
        0.0,
        "onecycle, cosine, linear: share of lr to end at; 0: fall towards nothing, no lower than 0.0001",
    )
    decay: float = option(
        0.5, "plateau: factor of the learning rate where checks bring nothing better"
    )
    decay_after: int = option(
        3, "plateau: so many checks in a row without a better one lower the learning rate"
    )
    clip: float = option(
        10.0, "largest norm of the gradient (of the mean loss per utterance); 0: no clipping"
    )
    accumulate: int = option(1, "batches per optimiser step")
    seed: int = option(0, "of everything random")
    check_every: int = option(1, "epochs between checks on the dev part")
    patience: int = option(0, "checks without a better one before stopping early; 0: never")
    skips: int = option(20, "unusable steps in a row before training stops")
    unreadable: float = option(
        0.1, "largest share of an epoch's utterances that may be unreadable (ten may always be)"
    )
    save_every_s: float = option(60.0, "seconds between writes of last.pt")
    auto_resume: bool = option(
        False,
        "go on with the run in the folder if there is one, else begin: for jobs that are started again",
    )
    log_every: int = option(5, "steps that one record sums up")
    bf16: bool = option(
        False,
        "products in bfloat16 (autocast); features, normalisation, CTC and checks stay in float32",
    )
    device: str = option("auto", "auto, cpu, cuda")

    @property
    def budget_s(self) -> float | None:
        """The time budget in seconds; raises ValueError where it cannot be read."""
        if not self.budget:
            return None
        unit = {"s": 1, "m": 60, "h": 3600, "d": 86400}.get(self.budget[-1])
        try:
            return float(self.budget[:-1]) * unit if unit else float(self.budget)
        except ValueError:
            raise ValueError(
                f"budget: expected a time as 90s, 30m or 8h; got {self.budget!r}"
            ) from None


def make_optimiser(
    config: TrainConfig, parameters: Iterable[nn.Parameter]
) -> torch.optim.Optimizer:
    """The optimiser; weight decay touches matrices only, neither biases nor BatchNorm."""
    parameters = list(parameters)
    groups = [
        {"params": [p for p in parameters if p.dim() > 1], "weight_decay": config.weight_decay},
        {"params": [p for p in parameters if p.dim() <= 1], "weight_decay": 0.0},
    ]
    if config.optimiser == "adamw":
        return torch.optim.AdamW(groups, lr=config.lr)
    if config.optimiser == "adam":
        return torch.optim.Adam(groups, lr=config.lr)
    if config.optimiser == "sgd":
        return torch.optim.SGD(groups, lr=config.lr, momentum=0.9, nesterov=True)
    if config.optimiser == "rmsprop":
        return torch.optim.RMSprop(groups, lr=config.lr)
    raise ValueError(f"optimiser: expected adamw, adam, sgd or rmsprop; got {config.optimiser!r}")


def learning_rate(config: TrainConfig, progress: float, checks: Sequence[float] = ()) -> float:
    """The learning rate at `progress` 0..1 of training; `checks` are the dev values so far (for plateau, lower is better)."""
    if config.schedule not in SCHEDULES:
        raise ValueError(
            f"schedule: expected one of {', '.join(SCHEDULES)}; got {config.schedule!r}"
        )
    if not (0 <= config.floor <= 1 and 0 < config.decay <= 1 and config.decay_after >= 1):
        raise ValueError(
            "expected floor within 0..1, decay above 0 and at most 1, decay_after >= 1; "
            f"got {config.floor}, {config.decay}, {config.decay_after}"
        )
    if config.schedule == "range":
        return config.lr * 1e-4 ** (
            1 - progress
        )  # rises over four decades (Smith 2017, arXiv 1506.01186)
    if progress < config.warmup and config.schedule != "constant":
        rise = progress / config.warmup
        # One-cycle starts at 1/25 of its top (Smith and Topin 2017); plain warm-up at zero.
        return config.lr * (
            (1 + 24 * rise) / 25 if config.schedule == "onecycle" else max(rise, 1e-3)
        )
    fall = (progress - config.warmup) / max(1e-9, 1 - config.warmup)
    if config.schedule in ("onecycle", "cosine"):
        return config.lr * _above(config.floor, (1 + math.cos(math.pi * min(1.0, fall))) / 2)
    if config.schedule == "linear":
        return config.lr * _above(config.floor, 1 - fall)
    if config.schedule == "exponential":
        return config.lr * 0.01 ** min(1.0, fall)
    if config.schedule == "drop":
        return config.lr * (1.0 if progress < 9 / 13 else 0.1)  # 45 epochs, and 20 more at a tenth
    if config.schedule == "plateau":
        return config.lr * config.decay ** _plateaus(checks, config.decay_after)
    return config.lr


def _above(floor: float, share: float) -> float:
    """`share` 1..0 of the fall as one that ends at `floor`; never nothing."""
    return max(floor or 1e-4, floor + (1 - floor) * share)


def _plateaus(checks: Sequence[float], patience: int) -> int:
    """How often `patience` checks in a row brought nothing better."""
    best, waited, count = math.inf, 0, 0
    for value in checks:
        waited = 0 if value < best else waited + 1
        best = min(best, value)
        if waited == patience:
            waited, count = 0, count + 1
    return count
