"""Sums up a few steps into one record, so that a device is waited for once in a while only."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch

from ctcasr.records import StepRecord
from ctcasr.train.line_losses import LineLosses
from ctcasr.train.stepper import Decision, StepResult, decisions
from ctcasr.train.world import World

Sum = torch.Tensor | float  # stays on the device until a record is written


@dataclass
class StepWindow:
    """Sums over the steps since the last record."""

    steps: int = 0
    infeasible: int = 0
    halved: int = 0
    weight: float = 0.0  # utterances that count
    audio_s: float = 0.0
    step_s: float = 0.0
    wait_s: float = 0.0
    lr: float = 0.0  # of the last step
    loss_sum: Sum = 0.0
    clip_scale_sum: Sum = 0.0
    norm: Sum = 0.0  # of the last step's gradient
    moved: Sum | None = None  # by the last step, if it was measured

    def add(self, result: StepResult, lr: float, step_s: float, wait_s: float) -> None:
        """Take in one optimiser step."""
        self.steps += 1
        self.infeasible += result.infeasible
        self.halved += result.halved
        self.weight += result.weight
        self.audio_s += result.audio_s
        self.step_s += step_s
        self.wait_s += wait_s
        self.lr = lr
        self.moved = result.moved
        if result.undecided is None:
            self.loss_sum = self.loss_sum + result.total
            self.clip_scale_sum = self.clip_scale_sum + result.scale
            self.norm = result.norm
        else:
            taken = result.undecided.taken
            self.loss_sum = self.loss_sum + torch.where(taken, result.total, 0.0)
            self.clip_scale_sum = self.clip_scale_sum + torch.where(taken, result.scale, 0.0)
            before = self.norm
            if isinstance(before, torch.Tensor):  # that of a checkpoint lies on the host
                before = before.to(result.norm.device)
            self.norm = torch.where(taken, result.norm, before)

    def take_out(self, result: StepResult) -> None:
        """Count a step no more that the device has not taken; its time was spent."""
        self.steps -= 1
        self.infeasible -= result.infeasible
        self.halved -= result.halved
        self.weight -= result.weight
        self.audio_s -= result.audio_s

    @property
    def loss(self) -> float:
        """Mean loss per utterance."""
        return float(self.loss_sum) / self.weight if self.weight else math.nan


class StepMeter:
    """Steps since the last record; also keeps the mean loss of all that it has seen."""

    def __init__(self) -> None:
        self.window = StepWindow()
        self.lines = LineLosses()  # of this process, in this epoch
        self._epoch_loss_sum: Sum = 0.0
        self._epoch_weight = 0.0
        self._details: Callable[[], Mapping[str, float]] = dict  # what the task says of the last
        self._undecided: list[StepResult] = []  # of which only the device knows if they were taken

    @property
    def steps(self) -> int:
        """Steps since the last record."""
        return self.window.steps

    def add(self, result: StepResult, lr: float, step_s: float, wait_s: float) -> None:
        """Take in one optimiser step."""
        self.window.add(result, lr, step_s, wait_s)
        for batch, loss in result.seen:
            self.lines.add(batch, loss.of_lines)
        if result.last is not None:
            self._details = result.last.evidence
        if result.undecided is not None:
            self._undecided.append(replace(result, seen=(), last=None))

    def settle(self, world: World) -> list[Decision]:
        """What has become of the steps that were left to the device; waits for it.

        Those that it has not taken count no more. Every process must ask.
        """
        results = self._undecided
        self._undecided = []
        undecided = [result.undecided for result in results if result.undecided is not None]
        made = decisions(undecided, world)
        for result, decision in zip(results, made, strict=True):
            if decision.problem is not None:
                self.window.take_out(result)
        if made and made[-1].problem is not None:
            self.window.moved = None  # by a step that was not taken
        return made

    def record(self, *, step: int, time_s: float, epoch: int) -> StepRecord:
        """The record of the window, which begins anew."""
        window = self.window
        assert window.steps, "a record sums up one step at least"
        details = dict(self._details())
        # The loss's report counts the rows of the last batch that have no path.
        no_path = details.pop("infeasible", None)
        self._epoch_loss_sum = self._epoch_loss_sum + window.loss_sum
        self._epoch_weight += window.weight
        self.window = StepWindow()
        self._details = dict
        return StepRecord(
            step=step,
            time_s=time_s,
            epoch=epoch,
            steps=window.steps,
            loss=window.loss,
            lr=window.lr,
            grad_norm=float(window.norm),
            clip_scale=float(window.clip_scale_sum) / window.steps,
            update_ratio=None if window.moved is None else float(window.moved),
            audio_s=window.audio_s,
            step_s=window.step_s,
            wait_s=window.wait_s,
            infeasible=window.infeasible,
            no_path=None if no_path is None else int(no_path),
            halved=window.halved,
            details=details,
        )

    def begin_epoch(self) -> None:
        """The mean loss and the losses of lines begin anew."""
        self.lines.clear()
        self._epoch_loss_sum = 0.0
        self._epoch_weight = 0.0

    @property
    def mean_loss(self) -> float:
        """Mean loss per utterance over the records of this epoch."""
        return float(self._epoch_loss_sum) / self._epoch_weight if self._epoch_weight else math.nan

    def state_dict(self) -> dict[str, Any]:
        """Plain data for a checkpoint; without the lines, which each process has of its own."""
        return {
            "window": {name: _on_host(value) for name, value in asdict(self.window).items()},
            "epoch_loss_sum": _on_host(self._epoch_loss_sum),
            "epoch_weight": self._epoch_weight,
            "details": dict(self._details()),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Become what `state_dict` gave."""
        self.window = StepWindow(**state["window"])
        self._epoch_loss_sum = state["epoch_loss_sum"]
        self._epoch_weight = state["epoch_weight"]
        details = dict(state["details"])
        self._details = lambda: details


def _on_host(value: Any) -> Any:
    """A sum as it is, but no longer on a device."""
    return value.detach().cpu() if isinstance(value, torch.Tensor) else value
