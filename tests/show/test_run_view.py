from __future__ import annotations

import pytest

from ctcasr.records import record_from
from ctcasr.show.run_view import RECENT, RunView, metrics_of


def test_time_left_is_exact_at_a_steady_pace(records):
    story = RunView()
    for record in records:
        story.add(record)
        if record.kind == "step" and record.step >= 5:
            assert story.left_s == pytest.approx(60 - record.step)
    assert story.left_s == 0 and story.share == 1


def test_time_left_does_not_trust_short_batches():
    # Every epoch goes from short to long; a second of work for 10 s of audio throughout.
    audio = [2.0 * k for k in range(1, 11)]
    story = RunView.of(
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
        story.add(
            record_from(
                {"kind": "step", "step": step, "audio_s": audio[(step - 1) % 10], "time_s": time_s}
            )
        )
        if step >= 5:
            assert story.left_s == pytest.approx(4 * sum(audio) / 10 - time_s)


def test_time_left_at_first_is_what_was_expected(records):
    assert RunView.of(records[:1]).left_s == 72.0
    assert RunView.of([]).left_s is None


def test_a_resumed_run_goes_on(records):
    half = next(i for i, r in enumerate(records) if r.step == 31 and r.kind == "step")
    start = record_from({"kind": "start", "step": 30, **records[0].data, "time_s": 30.0})
    for again in (
        start,
        record_from({"kind": "start", "step": 30, **records[0].data, "time_s": 0.0}),
    ):  # a clock that goes on; a new one
        shift = 30.0 - again.data["time_s"]
        rest = [
            record_from(
                {"kind": r.kind, "step": r.step, **r.data, "time_s": r.data["time_s"] - shift}
            )
            for r in records[half:]
        ]
        story = RunView.of([*records[:half], again, *rest[:10]])
        assert story.time_s == pytest.approx(40.0)
        assert story.left_s == pytest.approx(20.0)
        assert story.epoch == 4


def test_what_a_run_tells(records):
    story = RunView.of(records)
    assert story.step == 60 and story.epoch == 6 and story.audio_s == 1200
    assert story.speed == pytest.approx(20.0) and story.waiting == pytest.approx(0.25)
    assert story.skipped_steps == 1 and len(story.left_out["infeasible"]) == 2
    assert story.best is not None and story.best["step"] == 60
    assert story.event is not None and story.event["what"] == "finished"


def test_recent_means_steps_not_records():
    story = RunView.of(
        [
            record_from({"kind": "step", "step": 10 * k, "loss": float(k), "steps": 10})
            for k in range(1, 21)
        ]
    )
    assert len(story.recent) == RECENT / 10 and story.mean("loss") == 18.0


def test_a_changed_plan_is_taken_over(records):
    story = RunView.of(
        [*records[:-1], record_from({"kind": "epoch", "step": 60, "epochs": 8, "steps": 80})]
    )
    assert story.steps == 80 and story.share == 0.75


def test_records_without_anything_in_them_do_no_harm():
    kinds = ("start", "step", "check", "epoch", "event")
    story = RunView.of([record_from({"kind": kind, "step": 3}) for kind in kinds for _ in range(2)])
    assert story.mean("loss") is None and story.speed is None and story.left_s is None


def test_not_finite_values_leave_the_means_alone():
    story = RunView.of(
        [
            record_from({"kind": "step", "step": k, "loss": x})
            for k, x in enumerate([1.0, float("nan"), "inf", None, 3.0])
        ]
    )
    assert story.mean("loss") == 2.0


def test_metrics_are_scores_only():
    check = {
        "step": 3,
        "dev_loss": 2.0,
        "loss": 2.0,
        "cer": 0.1,
        "wer": 0.2,
        "best": True,
        "accuracy": "nan",
        "figures": {"si_sdr_db": 9.0},
    }
    assert metrics_of(check) == [("wer", 0.2), ("cer", 0.1), ("si_sdr_db", 9.0)]
