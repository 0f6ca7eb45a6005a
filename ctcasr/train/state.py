"""Where a run stands: everything that must be written down so that it can go on as if it had never stopped."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch


@dataclass
class TrainState:
    """The clock of a run, changed by the trainer alone."""

    step: int = 0  # optimiser steps done
    epoch: int = 0  # the epoch that is going on
    batch: int = 0  # batches of it that are done
    done: float = 0.0  # share of the training that is done, 0..1
    epochs: int = 0  # epochs planned
    seconds: float = 0.0  # time trained, over all sessions of the run
    bad_in_row: int = 0  # unusable steps in a row
    best: list[float] | None = None  # key of the best check
    since_best: int = 0  # checks since
    halved: int = 0  # how often memory ran out
    records: int = 0  # records written when this was saved
    checks: list[float] = field(default_factory=list)  # first key of each check

    def improves(self, key: tuple[float, ...]) -> bool:
        """Whether a check with this key is the best so far; NaN never is."""
        return all(v == v for v in key) and (self.best is None or list(key) < self.best)


def rng_state() -> dict[str, Any]:
    """The state of torch's generators (dropout draws from them)."""
    state: dict[str, Any] = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        state["cuda"] = torch.cuda.get_rng_state()
    return state


def set_rng_state(state: dict[str, Any]) -> None:
    """Put the generators back."""
    torch.set_rng_state(state["cpu"].cpu())
    if "cuda" in state and torch.cuda.is_available():
        torch.cuda.set_rng_state(state["cuda"].cpu())
