from __future__ import annotations

import pytest

from ctcasr.records import Reason, record_from
from ctcasr.show.run_view import RECENT, RunView


def test_time_left_is_exact_at_a_steady_pace(records):
    view = RunView()
    for record in records:
        view.add(record)
        if record.kind == "step" and record.step >= 5:
            assert view.left_s == pytest.approx(60 - record.step)
    assert view.left_s == 0 and view.share == 1


def test_time_left_does_not_trust_short_batches():
    # Every epoch goes from short to long; a second of work for 10 s of audio throughout.
    audio = [2.0 * k for k in range(1, 11)]
    view = RunView.of(
        [
            record_from(
                {
                    "kind": "start",
                    "step": 0,
                    "epochs": 4,
                    "steps": 40,
                    "train_seconds": sum(audio),
                    "time_s": 0.0,
                }
            )
        ]
    )
    time_s = 0.0
    for step in range(1, 41):
        time_s += audio[(step - 1) % 10] / 10
        view.add(
            record_from(
                {"kind": "step", "step": step, "audio_s": audio[(step - 1) % 10], "time_s": time_s}
            )
        )
        if step >= 5:
            assert view.left_s == pytest.approx(4 * sum(audio) / 10 - time_s)


def test_time_left_at_first_is_what_was_expected(records):
    assert RunView.of(records[:1]).left_s == 72.0
    assert RunView.of([]).left_s is None


def test_a_resumed_run_goes_on(records):
    half = next(i for i, r in enumerate(records) if r.step == 31 and r.kind == "step")
    start = record_from({**records[0].as_json(), "step": 30, "time_s": 30.0})
    for again in (
        start,
        record_from({**records[0].as_json(), "step": 30, "time_s": 0.0}),
    ):  # a clock that goes on; a new one
        shift = 30.0 - again.time_s
        rest = [record_from({**r.as_json(), "time_s": r.time_s - shift}) for r in records[half:]]
        view = RunView.of([*records[:half], again, *rest[:10]])
        assert view.time_s == pytest.approx(40.0)
        assert view.left_s == pytest.approx(20.0)
        assert view.epoch == 4


def test_a_resumed_run_knows_the_best_check_before():
    check = {"kind": "check", "step": 63, "wer": 1.0, "best": False}
    event = {"kind": "event", "step": 42, "reason": "resumed"}
    told = {"best_step": 21, "best_metrics": {"wer": 0.5}}
    view = RunView.of([record_from(event | told), record_from(check)])
    assert view.best is not None
    assert (view.best.step, view.best.metrics["wer"]) == (21, 0.5)
    view.add(record_from(check | {"step": 84, "wer": 0.4, "best": True}))
    assert view.best.step == 84


def test_what_a_run_tells(records):
    view = RunView.of(records)
    assert view.step == 60 and view.epoch == 6 and view.audio_s == 1200
    assert view.speed == pytest.approx(20.0) and view.waiting == pytest.approx(0.25)
    assert view.skipped_steps == 1 and len(view.left_out[Reason.INFEASIBLE]) == 2
    assert view.best is not None and view.best.step == 60
    assert view.event is not None and view.event.reason == Reason.FINISHED


def test_recent_means_steps_not_records():
    view = RunView.of(
        [
            record_from({"kind": "step", "step": 10 * k, "loss": float(k), "steps": 10})
            for k in range(1, 21)
        ]
    )
    assert len(view.recent) == RECENT / 10 and view.mean("loss") == 18.0


def test_a_changed_plan_is_taken_over(records):
    view = RunView.of(
        [*records[:-1], record_from({"kind": "epoch", "step": 60, "epochs": 8, "steps": 80})]
    )
    assert view.steps == 80 and view.share == 0.75


def test_records_without_anything_in_them_do_no_harm():
    kinds = ("start", "step", "check", "epoch", "event")
    view = RunView.of([record_from({"kind": kind, "step": 3}) for kind in kinds for _ in range(2)])
    assert view.mean("loss") is None and view.speed is None and view.left_s is None


def test_not_finite_values_leave_the_means_alone():
    view = RunView.of(
        [
            record_from({"kind": "step", "step": k, "loss": x})
            for k, x in enumerate([1.0, float("nan"), "inf", None, 3.0])
        ]
    )
    assert view.mean("loss") == 2.0


def test_a_run_with_fewer_epochs_than_it_has_trained_tells_those_it_has_trained():
    start = record_from({"kind": "start", "step": 11, "epochs": 2, "steps": 6})
    view = RunView.of([start, record_from({"kind": "event", "step": 11})])
    assert view.epoch == 4
