"""A step record sums up what was seen since the last one."""

from __future__ import annotations

import math

import pytest
import torch

from ctcasr.watching.loss_call import SeenRows
from ctcasr.watching.optimisers import StepSigns
from ctcasr.watching.window import Window, report_of


def rows(targets: list[list[int]], frames: int = 6) -> SeenRows:
    scores = torch.zeros(len(targets), frames, 4).log_softmax(2)
    labels = tuple(torch.tensor(target) for target in targets)
    return SeenRows(scores, (frames,) * len(targets), labels, blank=0)


def test_losses_are_means_over_calls_and_rows_without_a_path_are_counted_apart() -> None:
    window = Window()
    for targets in ([[1], [2]], [[1, 2, 3], [1] * 9]):
        assert window.add_lattice(report_of(rows(targets)))
    window.add_step(StepSigns(lr=0.1, grad_norm=2.0))
    record = window.record(step=7, time_s=1.0)
    losses = [float(report_of(rows(targets)).nll[0]) for targets in ([[1]], [[1, 2, 3]])]
    assert record.loss == pytest.approx(sum(losses) / 2)
    assert (record.step, record.steps, record.infeasible) == (7, 1, 1)
    assert (record.lr, record.grad_norm) == (0.1, 2.0)


def test_a_loss_that_is_no_number_is_told() -> None:
    broken = rows([[1]])
    broken.scores[0, 2] = math.nan
    assert not Window().add_lattice(report_of(broken))


def test_steps_that_nobody_looked_at_have_neither_a_loss_nor_a_lattice() -> None:
    window = Window()
    window.add_step(StepSigns(lr=0.1))
    record = window.record(step=1, time_s=1.0)
    assert record.loss is None
    assert record.no_path is record.infeasible is None
    assert not record.details
