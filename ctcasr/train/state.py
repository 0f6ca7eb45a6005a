"""Where a run stands: what must be written down so that it can go on as if it had never stopped."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
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
    epoch_start_s: float = 0.0  # of that time, when the epoch began
    epoch_start_step: int = 0  # steps done when the epoch began
    bad_in_row: int = 0  # unusable steps in a row
    best: list[float] | None = None  # key of the best check
    since_best: int = 0  # checks since
    halved: int = 0  # how often memory ran out
    records: int = 0  # records written when this was saved
    waits: list[int] = field(default_factory=list)  # since_best, behind each check

    def as_dict(self) -> dict[str, Any]:
        """Plain data for a checkpoint."""
        return asdict(self)

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Become what `as_dict` gave; what an older version did not write stays as it is."""
        for entry in fields(self):
            if entry.name in saved:
                setattr(self, entry.name, saved[entry.name])
        if "epoch_start_s" not in saved:
            self.epoch_start_s = self.seconds
        if "waits" not in saved:
            self.waits = _waits_of(saved.get("checks", ()))

    def improves(self, key: tuple[float, ...]) -> bool:
        """Whether a check with this key is the best so far; NaN, and one without a score, never is.

        Example:
            >>> TrainState(best=[0.5, 2.0]).improves((0.5, 1.9))
            True
            >>> TrainState().improves((math.nan,)), TrainState().improves((math.inf, math.inf))
            (False, False)
        """
        if any(math.isnan(value) for value in key) or _nothing_scored(key):
            return False
        return self.best is None or list(key) < self.best

    def note_check(self, key: tuple[float, ...]) -> bool:
        """Take in a check's key; whether it is the best so far.

        One that has scored nothing says nothing about the network: it does not count.
        """
        if _nothing_scored(key):
            return False
        best = self.improves(key)
        if best:
            self.best = list(key)
            self.since_best = 0
        else:
            self.since_best += 1
        self.waits.append(self.since_best)
        return best

    def forget_best(self) -> None:
        """Let the next check be the best so far; a rate that has been lowered stays so."""
        self.best = None
        self.since_best = 0


def _nothing_scored(key: tuple[float, ...]) -> bool:
    """Whether no part of a key is of anything: tasks tell the mean over nothing as infinite."""
    return all(value == math.inf for value in key)


def _waits_of(values: Sequence[float]) -> list[int]:
    """`waits` by the first values of the checks' keys, which older versions wrote in its place."""
    waits: list[int] = []
    best = math.inf
    since_best = 0
    for value in values:
        since_best = 0 if value < best else since_best + 1
        best = min(best, value)
        waits.append(since_best)
    return waits


def rng_state() -> dict[str, Any]:
    """The state of torch's generators (dropout draws from them)."""
    state: dict[str, Any] = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        state["cuda"] = torch.cuda.get_rng_state()
    return state


def set_rng_state(state: Mapping[str, Any]) -> None:
    """Put the generators back."""
    torch.set_rng_state(state["cpu"].cpu())
    if "cuda" in state and torch.cuda.is_available():
        torch.cuda.set_rng_state(state["cuda"].cpu())
