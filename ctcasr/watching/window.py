"""What is seen between two step records: steps, losses and lattices, summed up."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field

import torch

from ctcasr.ctc import CtcReport, ctc_report
from ctcasr.records import StepRecord
from ctcasr.watching.loss_call import SeenRows
from ctcasr.watching.optimisers import StepSigns


def report_of(rows: SeenRows) -> CtcReport:
    """The report of the lattice of these rows."""
    return ctc_report(
        rows.scores,
        rows.flat_targets.to(rows.scores.device),
        rows.input_lengths,
        rows.target_lengths,
        blank=rows.blank,
    )


@dataclass
class Window:
    """What was seen since the last step record."""

    started_s: float = field(default_factory=time.perf_counter)
    steps: int = 0
    loss_sum: float = 0.0  # of the mean losses of calls, in nats
    looked_at: int = 0  # loss calls whose lattice was computed
    infeasible: int = 0  # rows without an alignment that are in no mean
    details: dict[str, float] = field(default_factory=dict)
    signs: StepSigns = field(default_factory=lambda: StepSigns(lr=math.nan))

    def add_lattice(self, report: CtcReport, zero_infinity: bool = False) -> bool:
        """Take in the report of a training call; False where a loss is not finite.

        With `zero_infinity` rows without an alignment are in the mean, as zeros.
        """
        feasible = report.nll[~report.nll.isposinf()]
        self.looked_at += 1
        if not zero_infinity:
            self.infeasible += len(report.infeasible)
        self.details = dict(report.summary())
        if len(feasible):
            self.loss_sum += float(feasible.mean())
        return bool(torch.isfinite(feasible).all())

    def add_step(self, signs: StepSigns) -> None:
        """Take in an optimiser step."""
        self.steps += 1
        self.signs = signs

    def add_to_step(self, signs: StepSigns) -> None:
        """Another optimiser of the network has taken the last step, too."""
        self.signs = self.signs.together_with(signs)

    def record(self, step: int, time_s: float) -> StepRecord:
        """All of it as a record."""
        signs = self.signs
        details = dict(self.details)
        no_path = details.pop("infeasible", None)  # by the name that records have for it
        loss = None
        infeasible = None
        if self.looked_at:
            loss = self.loss_sum / self.looked_at
            infeasible = self.infeasible
        else:
            no_path = None
        return StepRecord(
            step=step,
            time_s=time_s,
            steps=self.steps,
            loss=loss,
            lr=signs.lr,
            grad_norm=signs.grad_norm,
            clip_scale=signs.clip_scale,
            update_ratio=signs.update_ratio,
            step_s=time.perf_counter() - self.started_s,
            infeasible=infeasible,
            no_path=None if no_path is None else int(no_path),
            details=details,
        )
