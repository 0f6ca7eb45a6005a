"""Records carry reasons; what is left out is named once, and too much of it ends training."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from ctcasr.batch import Skip
from ctcasr.records import CheckRecord, EventRecord, Reason
from ctcasr.train import TrainConfig, TrainingError, World
from ctcasr.train.run_log import RunLog, by_reason
from ctcasr.train.state import TrainState
from ctcasr.train.stepper import StepResult


def log_of(task: Any, **config: Any) -> RunLog:
    return RunLog(task, TrainConfig(**config), TrainState(step=3), World())


def result(**changes: Any) -> StepResult:
    zero = torch.zeros(())
    made = StepResult(total=zero, weight=1.0, norm=zero, scale=zero, last=None, left_out=())
    for name, value in changes.items():
        setattr(made, name, value)
    return made


def events(records: Any) -> list[tuple[Reason, list[str]]]:
    return [(r.reason, list(r.ids)) for r in records if isinstance(r, EventRecord)]


def test_files_and_texts_are_two_reasons() -> None:
    skips = [Skip("m:1", "it is empty"), Skip("m:2", "nothing of it", text_uncovered=True)]
    assert by_reason(skips) == {
        Reason.UNREADABLE: ["m:1: it is empty"],
        Reason.TEXT_UNCOVERED: ["m:2: nothing of it"],
    }


def test_each_utterance_is_named_once(toy: Any, fixed: Any, make_batch: Any) -> None:
    log, data = log_of(toy()), fixed([make_batch("a")])
    step = result(left_out=("u1: 2 frames", "u2: 3 frames"), too_large=("u9",))
    first = events(log.after_step(step, data))
    assert first == [
        (Reason.INFEASIBLE, ["u1: 2 frames", "u2: 3 frames"]),
        (Reason.TOO_LARGE, ["u9: does not fit into memory, even alone"]),
    ]
    assert events(log.after_step(step, data)) == []
    more = result(left_out=("u2: 3 frames", "u3: 1 frame"))
    assert events(log.after_step(more, data)) == [(Reason.INFEASIBLE, ["u3: 1 frame"])]


def test_skipped_steps_carry_their_reason_and_end_training(
    toy: Any, fixed: Any, make_batch: Any
) -> None:
    log, data = log_of(toy(), skips=2), fixed([make_batch("a")])
    bad = result(problem=Reason.GRADIENT_NOT_FINITE, suspects=("u4",))
    assert events(log.after_step(bad, data)) == [(Reason.GRADIENT_NOT_FINITE, ["u4"])]
    assert events(log.after_step(result(), data)) == [] and log.state.bad_in_row == 0
    list(log.after_step(bad, data))
    with pytest.raises(TrainingError, match=r"2 steps in a row .* gradient is not finite in u4"):
        list(log.after_step(bad, data))


def test_memory_that_ran_out_is_told_once_and_counted(
    toy: Any, fixed: Any, make_batch: Any
) -> None:
    log, data = log_of(toy()), fixed([make_batch("a")])
    assert events(log.after_step(result(halved=2), data)) == [(Reason.OUT_OF_MEMORY, [])]
    assert events(log.after_step(result(halved=1), data)) == [] and log.state.halved == 3


def test_records_are_stamped_with_where_the_run_stands(toy: Any) -> None:
    log = log_of(toy())
    log.state.seconds = 1.23456
    record = log.event(Reason.FINISHED, "done")
    assert (record.step, record.time_s) == (3, 1.235) and log.history == [record]


def test_an_epoch_without_a_step_names_the_first_line_that_was_left_out(
    toy: Any, fixed: Any, make_batch: Any
) -> None:
    data = fixed([replace(make_batch("a"), skipped=(Skip("m:1 (s1)", "it is empty"),))])
    error = log_of(toy()).nothing_trained(data)
    assert str(error).endswith("; the first: m:1 (s1): it is empty")


def test_a_resumed_run_tells_its_best_check(toy: Any) -> None:
    log = log_of(toy())
    assert log.resumed("from step 0").details == {}
    for step, wer, best in ((21, 0.5, True), (42, 0.9, False)):
        log.write(CheckRecord(step=step, best=best, metrics={"wer": wer}))
    told = {"best_step": 21, "best_metrics": {"wer": 0.5}}
    assert log.resumed("from step 42").details == told
