"""Causes in what is trained and how."""

from __future__ import annotations

from typing import Any

import pytest

from ctcasr.diagnose import verdict
from tests.fixtures.run_records import run_records

PLATEAU = [1.0, 1.0]


@pytest.mark.parametrize(
    ("slug", "changes"),
    [
        ("frozen-parameters", {"parameters": {"frozen": 0.5, "frozen_names": ["a.weight"]}}),
        ("frozen-parameters", {"parameters": {"left": 0.5, "left_names": ["a.weight"]}}),
        ("frozen-parameters", {"parameters": {"asleep": 0.5, "asleep_names": ["a.weight"]}}),
        ("frozen-parameters", {"parameters": {"cut_off": 0.005, "cut_off_names": ["conv.weight"]}}),
        ("gradient-clipped", {"step": {"clip_scale": 1e-6, "update_ratio": 1e-7}}),
        ("learning-rate-zero", {"step": {"lr": 0.0, "update_ratio": 0.0}}),
        ("learning-rate-too-low", {"step": {"lr": 1e-7, "update_ratio": 1e-6}, "total": 400}),
        ("learning-rate-too-high", {"step": {"update_ratio": 0.5, "loss": 200.0}}),
        ("learning-rate-too-high", {"step": {"update_ratio": 0.2}}),
        ("specaugment-too-strong", {"masked": 0.9}),
        ("dropout-too-strong", {"parameters": {"dropout": 0.9}}),
    ],
)
def test_a_cause_by_its_numbers(slug: str, changes: dict[str, Any]) -> None:
    train = {"uniform": 60.0}
    assert verdict(run_records(PLATEAU, train=train, **changes)).causes[0].slug == slug
    assert not verdict(run_records(PLATEAU, train=train)).causes


@pytest.mark.parametrize("train", [{"uniform": 0.0}, {}])
def test_a_long_step_without_a_frame_is_no_error(train: dict[str, float]) -> None:
    step = {"update_ratio": 0.5, "frames": 0.0, "nll": 0.0}
    verdict(run_records(PLATEAU, train=train, step=step))


def test_three_steps_that_were_not_finite_are_a_rate_too_high() -> None:
    records = run_records(PLATEAU)
    event = {"kind": "event", "step": 11, "message": "reworded", "reason": "gradient-not-finite"}
    assert not verdict([*records, event, event]).causes
    cause = verdict([*records, event, event, event]).causes[0]
    assert cause.slug == "learning-rate-too-high" and "3 steps" in cause.evidence


def test_one_step_far_too_long_is_remembered_while_nothing_is_learnt() -> None:
    records = run_records([1.0] * 6)
    records[1]["update_ratio"] = 0.3  # the first steps; later ones are short on heavier weights
    assert verdict(records).causes[0].slug == "learning-rate-too-high"
    learnt = run_records([1.0, 0.5, 0.4, 0.3])
    learnt[1]["update_ratio"] = 0.3
    assert not verdict(learnt).causes


def test_much_dropout_is_told_as_long_as_little_is_learnt() -> None:
    dropout = {"dropout": 0.6}
    slugs = [c.slug for c in verdict(run_records([1.0, 0.5, 0.4], parameters=dropout)).causes]
    assert slugs == ["dropout-too-strong"]
    assert not verdict(run_records([1.0, 0.5, 0.4, 0.2], parameters=dropout)).causes


def test_shrinking_weights_and_a_loss_that_only_rises_are_not_told_as_a_high_rate() -> None:
    long_steps = {"update_ratio": 0.07, "loss": 90.0, "nll": 900.0, "rows": 10.0, "frames": 100.0}
    told = run_records([1.0] * 4, step=long_steps)
    assert [c.slug for c in verdict(told).causes] == ["learning-rate-too-high"]
    shrinking = run_records([1.0] * 4, step=long_steps, parameters={"grown": 0.7})
    assert not verdict(shrinking).causes
    rising = run_records([1.0] * 3, step=long_steps)
    for number, record in enumerate(r for r in rising if r["kind"] == "step"):
        record["nll"] = 900.0 * 2**number
    assert not verdict(rising).causes


def test_warm_up_and_the_end_of_a_schedule_are_no_low_rate() -> None:
    rising = run_records([1.0] * 4, total=400, step={"update_ratio": 1e-6})
    for number, record in enumerate(r for r in rising if r["kind"] == "step"):
        record["lr"] = 1e-6 * (number + 1)
    assert not verdict(rising).causes
    assert not verdict(run_records(PLATEAU, step={"update_ratio": 1e-6})).causes  # all is done


def test_parameters_that_ask_for_no_gradient_are_no_trouble_once_something_is_learnt() -> None:
    learning = run_records([1.0, 0.5], parameters={"asleep": 0.5})
    assert not verdict(learning).causes
