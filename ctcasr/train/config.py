"""How long, how fast and in what order to train: a frozen dataclass that recipes extend."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from ctcasr.ctc.backends import BackendChoice

SCHEDULES = ("onecycle", "cosine", "linear", "exponential", "plateau", "drop", "constant", "range")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}  # of the units of a time budget

# The flags that --help tells first, and the headings of those that are rarely touched; a recipe's
# own flags stand between.
USUAL = (
    "train",
    "valid",
    "out",
    "net",
    "text",
    "budget",
    "epochs",
    "batch_size",
    "lr",
    "resume",
    "overwrite",
    "device",
    "seed",
)
RARE = {
    "optimiser and learning rate": (
        "optimiser",
        "weight_decay",
        "schedule",
        "warmup",
        "floor",
        "decay",
        "decay_after",
        "clip",
        "accumulate",
        "average",
    ),
    "checks, and when to stop": (
        "check_every",
        "check_share",
        "patience",
        "skips",
        "unreadable",
    ),
    "files of the run": ("init", "auto_resume", "save_every_s", "log_every"),
    "the machine": ("workers", "bf16", "ctc_backend"),
}
# Least and most of what these settings may be, in every recipe that has them.
BOUNDS = {
    "accumulate": (1, math.inf),
    "check_every": (1, math.inf),
    "log_every": (1, math.inf),
    "workers": (-1, math.inf),
    "batch_size": (0, math.inf),
    "batch_seconds": (0, math.inf),
    "real_minutes": (0, math.inf),
    "dev_utterances": (1, math.inf),
    "dev_share": (0, 1),
    "splice": (0, 1),
    "foreign_share": (0, 1),
    "real_share": (0, 0.999),
    "false_acceptance": (0, 1),
    "unreadable": (0, 1),
    "warmup": (0, 1),
    "average": (0, 0.999999),  # what remembers all learns nothing
    "floor": (0, 1),
    "decay": (1e-9, 1),
    "decay_after": (1, math.inf),
    "weight_decay": (0, 1e6),
    "augment_from": (0, 1e9),
    "consistency": (0, 1e6),
    "consistency_ramp": (0, 1e9),
    "states": (0, 1e6),
    "skips": (1, math.inf),
    "save_every_s": (0, math.inf),
    "seed": (0, 2**63 - 1),
    "patience": (0, math.inf),
    "clip": (0, math.inf),
    "warp": (0, 0.5),
}
SCORED_LAST = ("valid", "foreign")  # name manifests that are read when all is trained
NONE = (False, "", "none")  # of what a recipe may do to its recordings
_BATCH_LIMITS = ("batch_size", "batch_seconds")  # 0 means none, and one there must be


def option(default: Any, text: str) -> Any:
    """A field of settings with its help text."""
    return field(default=default, metadata={"help": text})


def required(text: str) -> Any:
    """A field of settings that must be given."""
    return field(kw_only=True, metadata={"help": text})


@dataclass(frozen=True)
class TrainConfig:
    """What `fit` needs to know; recipes inherit it and add their own settings.

    Example:
        >>> TrainConfig(epochs=3, budget="30m").budget_s
        1800.0
    """

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
        "onecycle, cosine, linear: share of lr to end at; "
        "0: fall towards nothing, no lower than 0.0001",
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
    average: float = option(
        0.0,
        "decay of a running average of the weights, which is checked and becomes best.pt (0.99); "
        "0: none",
    )
    seed: int = option(0, "of everything random")
    check_every: int = option(1, "epochs between checks on the dev part")
    check_share: float = option(
        -1.0,
        "share of the time that checks may take: where they take more, some are left out; "
        "1: none is; -1: 0.2 on CUDA, 1 on a CPU",
    )
    patience: int = option(0, "checks without a better one before stopping early; 0: never")
    skips: int = option(20, "unusable steps in a row before training stops")
    unreadable: float = option(
        0.1, "largest share of an epoch's utterances that may be unreadable (ten may always be)"
    )
    save_every_s: float = option(60.0, "seconds between writes of last.pt")
    auto_resume: bool = option(
        False,
        "go on with the run in the folder if there is one, else begin: "
        "for jobs that are started again",
    )
    overwrite: bool = option(False, "replace the run in the folder, if there is one")
    log_every: int = option(5, "steps that one record sums up")
    bf16: bool = option(
        False,
        "products in bfloat16, on a CPU too if it has instructions for that; features, "
        "normalisation, CTC and checks stay in float32",
    )
    device: str = option("auto", "auto, cpu, cuda")

    @property
    def budget_s(self) -> float | None:
        """The time budget in seconds; None without one.

        Raises:
            ValueError: where it cannot be read.
        """
        if not self.budget:
            return None
        number, unit = self.budget[:-1], _SECONDS.get(self.budget[-1])
        try:
            seconds = math.nan if unit is None else float(number) * unit
        except ValueError:
            seconds = math.nan
        if not 0 < seconds < math.inf:
            raise ValueError(f"budget: expected a time as 90s, 30m or 8h; got {self.budget!r}")
        return seconds

    def steps_per_epoch(self, batches: int) -> int:
        """Optimiser steps in an epoch of so many batches.

        Example:
            >>> TrainConfig(accumulate=4).steps_per_epoch(10)
            3
        """
        return math.ceil(batches / self.accumulate)

    def refuse_impossible(self) -> None:
        """ValueError that names the setting, for numbers that no training can have."""
        if self.budget_s is None and self.epochs < 1:
            raise ValueError(f"epochs: expected at least 1; got {self.epochs}")
        for name, (least, most) in BOUNDS.items():
            value = getattr(self, name, None)
            if value is not None and not least <= value <= most:
                told = f"at least {least}" if most == math.inf else f"{least} to {most}"
                raise ValueError(f"{name}: expected {told}; got {value}")
        limits = {name: getattr(self, name) for name in _BATCH_LIMITS if hasattr(self, name)}
        if limits and set(limits.values()) == {0}:
            raise ValueError(f"{' or '.join(limits)}: expected a limit above 0; got 0")
        if self.check_share != -1 and not 0 < self.check_share <= 1:
            raise ValueError(
                f"check_share: expected above 0 and at most 1, or -1; got {self.check_share}"
            )
        if not (math.isfinite(self.lr) and self.lr >= 0):
            raise ValueError(f"lr: expected a rate of 0 or more; got {self.lr}")
        self._refuse_idle()

    def _refuse_idle(self) -> None:
        """ValueError for settings of a recipe that could do nothing, or not what they say."""
        if getattr(self, "star", "") and self.budget_s is not None:
            raise ValueError(
                "star: expected --epochs, over which its costs fall; a budget tells too late how "
                "many there are"
            )
        changes = [getattr(self, name, "") for name in ("augment", "noise", "rooms", "hiss")]
        if getattr(self, "consistency", 0) and not any(change not in NONE for change in changes):
            raise ValueError(
                "consistency: expected two copies that differ; without masks, hiss, noises and "
                "rooms they are the same"
            )


@dataclass(frozen=True)
class RunSettings(TrainConfig):
    """What the settings of every recipe hold beside `TrainConfig`: a run's folder and its start."""

    out: str = option("runs/new", "folder of the run")
    init: str = option("", "checkpoint to start from: all that fits is loaded, the rest is named")
    workers: int = option(
        -1,
        "processes that read ahead; -1: as many as a measurement asks for "
        "(none for a small corpus)",
    )
    resume: bool = option(False, "go on with the run in --out")
    ctc_backend: BackendChoice = option(
        "auto",
        "what computes CTC losses: auto (the kernel of the device; torch, with a warning, where it "
        "cannot run), cuda or cpu (that kernel or an error), or torch",
    )
