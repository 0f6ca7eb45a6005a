"""What the report tells of the star, against derivatives and by the plain report."""

from __future__ import annotations

import math

import pytest
import torch

from ctcasr.ctc import Star, StarReport, ctc_loss, ctc_report
from tests.ctc.test_star import some_logits


def spiky(labels: list[int], classes: int = 6) -> torch.Tensor:
    """Logits [1, T, C] that say `labels`, one frame each with a blank between."""
    logits = torch.zeros(1, 2 * len(labels) + 1, classes)
    logits[:, :, 0] = 6.0
    for place, label in enumerate(labels):
        logits[0, 2 * place + 1, 0] = 0.0
        logits[0, 2 * place + 1, label] = 6.0
    return logits


def report_for(logits: torch.Tensor, labels: list[int], star: Star) -> StarReport:
    """Report of one row."""
    _, report = ctc_loss(
        logits,
        torch.tensor([labels]),
        [logits.shape[1]],
        [len(labels)],
        star=star,
        return_report=True,
    )
    assert isinstance(report, StarReport)
    return report


def test_a_substituted_label_is_named():
    report = report_for(spiky([1, 2, 3]), [1, 4, 3], Star(1.0, 1.0))
    first, second, third = report.label_star[0].tolist()
    assert second > 0.9 and max(first, third) < 0.1


def test_a_missing_label_is_star_mass_in_its_gap():
    gaps = report_for(spiky([1, 2, 3]), [1, 3], Star(5.0, 0.5)).gap_star[0]
    assert int(gaps.argmax()) == 1
    assert float(gaps[1]) > 0.8 and float(gaps[0] + gaps[2]) < 0.1


def test_a_word_nobody_said_is_named_and_its_neighbours_are_not():
    star = Star(word_cost=4.0, words=torch.tensor([[0, 0, 1, 1, 2]]))
    words = report_for(spiky([1, 2, 3, 4, 5]), [1, 2, 4, 3, 5], star).word_star[0].tolist()
    assert words[1] > 0.95 and max(words[0], words[2]) < 0.05


def test_posteriors_are_derivatives_of_the_loss():
    logits = some_logits(3, frames=7)
    labels = [1, 2, 1]
    cost = torch.tensor([0.8], dtype=torch.float64, requires_grad=True)
    arguments = (torch.tensor([labels]), [7], [3])
    ctc_loss(logits, *arguments, reduction="sum", star=Star(math.inf, cost)).backward()
    report = report_for(logits, labels, Star(math.inf, cost.detach()))
    assert float(report.gap_star[0].sum()) == pytest.approx(float(cost.grad), rel=1e-6)


def test_with_infinite_costs_it_is_the_plain_report(random_batch):
    logits, targets, times, lengths = random_batch(5, 30, 7, 8)
    plain = ctc_report(logits, targets, times, lengths)
    star = Star(torch.full((5,), math.inf))
    _, report = ctc_loss(logits, targets, times, lengths, star=star, return_report=True)
    for name in ("nll", "blank_expected", "blank_mass", "emitted", "entropy", "spikes"):
        ours = getattr(report, name).double()
        torch.testing.assert_close(ours, getattr(plain, name).double(), atol=2e-3, rtol=1e-3)
    assert report.health.max() < 1e-6
    assert all(float(row.max()) < 1e-6 for row in report.label_star)


def test_an_impossible_row_has_no_posteriors():
    report = report_for(some_logits(0, frames=2), [1, 1, 2], Star(1.0, 1.0))
    assert report.infeasible == (0,)
    assert report.label_star[0].isnan().all() and report.entropy.isnan().all()


def test_reports_add_and_sum_up():
    one = report_for(spiky([1, 2, 3]), [1, 4, 3], Star(1.0, 1.0))
    other = report_for(spiky([1, 2]), [1, 2], Star(1.0, 1.0))
    both = one + other
    assert [len(row) for row in both.label_star] == [3, 2]
    assert [len(row) for row in both.gap_star] == [4, 3]
    summary = both.cpu().summary()
    assert summary["rows"] == 2 and 0 < summary["label_star"] < 0.5
