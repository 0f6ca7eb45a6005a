"""A history sorts records by kind and hands out numbers, or NaN."""

from __future__ import annotations

import math

import pytest

from ctcasr.diagnose.history import RunHistory, first_release, step_number
from ctcasr.records import Reason, StepRecord, record_from
from tests.fixtures.run_records import run_records


def test_flat_objects_and_typed_records_tell_the_same() -> None:
    flat = run_records([1.0, 0.5])
    assert RunHistory.of(flat) == RunHistory.of([record_from(entry) for entry in flat])


def test_what_is_no_record_is_left_out() -> None:
    flat = run_records([1.0])
    assert RunHistory.of([{"kind": "song"}, *flat, {}, {"kind": "step", "step": None}]) == (
        RunHistory.of(flat)
    )


def test_an_empty_history_has_no_numbers() -> None:
    history = RunHistory.of([])
    assert history.step == 0 and history.done == 0.0 and history.losses == []
    assert history.release is None and history.leaving is None
    assert math.isnan(history.cer) and math.isinf(history.best_cer)
    assert math.isnan(history.recent("lr")) and math.isnan(history.report("rows"))
    assert math.isnan(history.loss_since_check) and math.isnan(history.over_deaf())


@pytest.mark.parametrize(
    ("cers", "release", "leaving"),
    [
        ([1.0, 0.8, 0.8, 0.8], 20, None),
        ([1.0, 0.7, 0.6], None, 20),
        ([0.7, 1.0], None, None),
        ([0.7, math.nan, 0.7, 0.7], None, 30),
    ],
)
def test_release_and_leaving(cers: list[float], release: int | None, leaving: int | None) -> None:
    history = RunHistory.of(run_records(cers, [1.0] * len(cers)))
    assert (history.release, history.leaving) == (release, leaving)
    assert (first_release(cers) is None) == (release is None)


def test_recent_is_a_median_over_the_last_part_without_what_is_no_number() -> None:
    steps = [{"kind": "step", "step": at, "lr": float(at)} for at in range(1, 11)]
    steps[-1]["lr"] = "nan"
    history = RunHistory.of(steps)
    assert history.recent("lr") == 7.5  # of 6, 7, 8, 9
    assert history.recent("lr", 0.1) == 8.5  # three at least


def test_numbers_of_a_step_are_its_own_or_the_reports() -> None:
    record = record_from({"kind": "step", "step": 1, "lr": 0.5, "entropy": 3})
    assert isinstance(record, StepRecord)
    assert (step_number(record, "lr"), step_number(record, "entropy")) == (0.5, 3.0)
    assert math.isnan(step_number(record, "nothing"))


def test_the_loss_since_the_last_check() -> None:
    records = run_records([1.0, 0.5], [20.0, 10.0])
    records.insert(3, {"kind": "step", "step": 15, "loss": 30.0})
    assert RunHistory.of(records).loss_since_check == 20.0


@pytest.mark.parametrize(
    ("dev", "hears"),
    [
        ({"own": 5.0, "other": 9.0}, True),
        ({"own": 5.0, "other": 9.0, "gap_error": 1.0}, True),
        ({"own": 5.0, "other": 9.0, "gap_error": 3.0}, False),  # by chance
        ({"own": 5.0, "other": 5.1}, False),
        ({"own": 50.0, "other": 90.0, "nll": 50.0}, False),  # five times the deaf model's loss
        ({"own": None, "other": None, "nll": None}, True),  # nobody knows
    ],
)
def test_a_check_hears_where_the_wrong_audio_costs_loss(dev: dict[str, float], hears: bool) -> None:
    history = RunHistory.of(run_records([0.7] * 3, [5.0] * 3, dev=dev))
    assert history.hearing == [hears] * 3 and history.learnt == hears
    assert (history.release is not None) == hears


def test_a_prefix_is_the_history_as_it_was() -> None:
    flat = run_records([1.0, 0.9, 0.5])
    assert RunHistory.of(flat).until(1) == RunHistory.of(flat[:5])


def test_events_by_reason() -> None:
    events = [{"kind": "event", "step": 1, "reason": r} for r in ("finished", "too-large", "odd")]
    history = RunHistory.of(events)
    assert [e.reason for e in history.events_of(Reason.TOO_LARGE, Reason.OTHER)] == [
        Reason.TOO_LARGE,
        Reason.OTHER,
    ]


def test_a_model_that_listens_is_better_than_a_deaf_one_and_loses_by_the_wrong_audio() -> None:
    history = RunHistory.of(run_records([0.5], [5.0]))
    assert history.over_deaf() == 0.5 and history.listens() == pytest.approx(2 / 3)


def test_a_run_without_a_plan_has_done_all_once_it_is_finished() -> None:
    check = {"kind": "check", "step": 40, "cer": 1.0}
    finished = {"kind": "event", "step": 40, "reason": "finished"}
    assert RunHistory.of([check]).done == 0.0
    assert RunHistory.of([check, finished]).done == 1.0
    planned = {"kind": "start", "step": 0, "steps": 80}
    assert RunHistory.of([planned, check, finished]).done == 0.5
