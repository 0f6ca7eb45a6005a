"""Sums over a few steps: means by weight, and the same after a checkpoint."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pytest
import torch

from ctcasr.records import Reason
from ctcasr.task import Loss
from ctcasr.train.meter import StepMeter
from ctcasr.train.stepper import Decision, StepResult, Undecided
from ctcasr.train.world import World


def result(total: float, weight: float, evidence: Mapping[str, float] | None = None) -> StepResult:
    told = dict(evidence or {})
    return StepResult(
        total=torch.tensor(total),
        weight=weight,
        norm=torch.tensor(2.0),
        scale=torch.tensor(0.5),
        last=Loss(torch.tensor(total), weight, evidence=lambda: told),
        left_out=(),
        infeasible=1,
        audio_s=3.0,
        halved=2,
    )


def test_a_record_sums_up_its_steps_and_begins_anew() -> None:
    meter = StepMeter()
    meter.add(result(6.0, 2), 0.1, step_s=1.0, wait_s=0.25)
    meter.add(result(9.0, 1, {"blank_mass": 0.5, "infeasible": 3}), 0.2, step_s=1.0, wait_s=0.25)
    record = meter.record(step=2, time_s=4.0, epoch=0)
    assert (record.loss, record.lr, record.steps, record.audio_s) == (5.0, 0.2, 2, 6.0)
    assert (record.step_s, record.wait_s, record.halved, record.clip_scale) == (2.0, 0.5, 4, 0.5)
    # What the trainer left out, and what the loss's report calls so, are two numbers.
    assert (record.infeasible, record.no_path) == (2, 3)
    assert record.details == {"blank_mass": 0.5} and meter.steps == 0


def test_the_mean_of_an_epoch_is_weighted_by_utterances() -> None:
    meter = StepMeter()
    for total, weight in ((6.0, 2), (12.0, 1)):
        meter.add(result(total, weight), 0.1, step_s=0.0, wait_s=0.0)
        meter.record(step=1, time_s=0.0, epoch=0)
    assert meter.mean_loss == pytest.approx(18 / 3)
    meter.begin_epoch()
    assert meter.mean_loss != meter.mean_loss


def test_a_checkpoint_in_the_middle_changes_nothing() -> None:
    whole, first = StepMeter(), StepMeter()
    for meter in (whole, first):
        meter.add(result(6.0, 2, {"blank_mass": 0.1}), 0.1, step_s=1.0, wait_s=0.0)
    second = StepMeter()
    second.load_state_dict(first.state_dict())
    for meter in (whole, second):
        meter.add(result(1 / 3, 1), 0.2, step_s=1.0, wait_s=0.0)
    at = {"step": 2, "time_s": 0.0, "epoch": 0}
    assert whole.record(**at) == second.record(**at) and whole.mean_loss == second.mean_loss
    again = StepMeter()
    again.load_state_dict(first.state_dict())
    assert again.record(**at).details == {"blank_mass": 0.1}


def test_a_step_that_the_device_has_not_taken_counts_no_more() -> None:
    meter, without = StepMeter(), StepMeter()
    for good in (True, False, True):
        step = result(6.0 if good else math.nan, 2)
        finite = torch.tensor(good)
        step.undecided = Undecided(finite, finite, [(("u1", "u2"), None)])
        meter.add(step, 0.1, step_s=1.0, wait_s=0.0)
        if good:
            without.add(result(6.0, 2), 0.1, step_s=1.5, wait_s=0.0)
    made = meter.settle(World())
    assert made == [Decision(), Decision(Reason.LOSS_NOT_FINITE, ("u1", "u2")), Decision()]
    assert meter.settle(World()) == []
    at = {"step": 2, "time_s": 0.0, "epoch": 0}
    assert meter.record(**at) == without.record(**at) and meter.mean_loss == without.mean_loss
