"""Sums up a few steps into one record, so that a device is waited for once in a while only."""

from __future__ import annotations

import math
from typing import Any

import torch

from ctcasr.task import Loss
from ctcasr.train.stepper import StepResult


class StepMeter:
    """Steps since the last record; also keeps the mean loss of all that it has seen."""

    def __init__(self) -> None:
        self._all_sum: torch.Tensor | float = 0.0
        self._all_weight = 0.0
        self._reset()

    def _reset(self) -> None:
        self.steps = self.infeasible = self.halved = 0
        self.sum: torch.Tensor | float = 0.0
        self.scale: torch.Tensor | float = 0.0
        self.weight = self.audio_s = self.step_s = self.wait_s = self.lr = 0.0
        self.last: StepResult | None = None
        self.loss: Loss | None = None

    def add(self, outcome: StepResult, lr: float, step_s: float, wait_s: float) -> None:
        """Take in one optimiser step."""
        self.steps += 1
        self.sum, self.weight = self.sum + outcome.total, self.weight + outcome.weight
        self.audio_s += outcome.audio_s
        self.step_s, self.wait_s, self.lr = self.step_s + step_s, self.wait_s + wait_s, lr
        self.infeasible, self.halved = (
            self.infeasible + outcome.infeasible,
            self.halved + outcome.halved,
        )
        self.scale = self.scale + outcome.scale
        self.last, self.loss = outcome, outcome.last or self.loss

    def close(self) -> dict[str, Any]:
        """The figures of the window, which begins anew."""
        assert self.last is not None
        loss = float(self.sum) / self.weight if self.weight else math.nan
        figures = {
            "loss": loss,
            "lr": self.lr,
            "grad_norm": self.last.grad_norm,
            "steps": self.steps,
            "audio_s": self.audio_s,
            "step_s": self.step_s,
            "wait_s": self.wait_s,
            "infeasible": self.infeasible,
            "left_out": self.infeasible,
            "clip_scale": float(self.scale) / self.steps,
            "halved": self.halved,
        }
        if self.loss is not None:
            figures |= self.loss.evidence()
        if self.last.moved is not None:
            figures["update_ratio"] = float(self.last.moved)
        self._all_sum, self._all_weight = self._all_sum + self.sum, self._all_weight + self.weight
        self._reset()
        return figures

    @property
    def mean_loss(self) -> float:
        """Mean loss per utterance over all closed windows."""
        return float(self._all_sum) / self._all_weight if self._all_weight else math.nan
