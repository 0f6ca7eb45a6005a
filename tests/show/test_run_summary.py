"""The summary: what came of the run, what it cost, and what was left out."""

from __future__ import annotations

import io

from rich.console import Console

from ctcasr.records import (
    CheckRecord,
    EpochRecord,
    EventRecord,
    Reason,
    Record,
    StartRecord,
    StepRecord,
)
from ctcasr.show.run_summary import summary
from ctcasr.show.run_view import RunView


def printed(view: RunView, width: int = 100) -> str:
    page = io.StringIO()
    Console(file=page, width=width, color_system=None).print(summary(view, width))
    return page.getvalue()


def test_everything_that_came_of_a_run_is_told(records: list[Record]) -> None:
    text = printed(RunView.of(records))
    for part in (
        "three layers, 1 234 567 parameters",
        "60 steps, 6 epochs in 1:00, 20.00 s of audio per second",
        "WER 5.0 %, CER 2.5 % on the dev part, at step 60",
        "targets ask for 60 %",
        "2 infeasible",
        "1 step skipped",
        "learning",
        "bin red   f  two two",
    ):
        assert part in text, part


def test_one_of_what_was_left_out_is_named_with_its_reason() -> None:
    ids = ("train.jsonl:3: expected a sound file; there is none", "train.jsonl:9: too short")
    seen = [
        EventRecord(step=1, reason=Reason.UNREADABLE, message="2 left out", ids=ids),
        EventRecord(step=2, reason=Reason.LOSS_NOT_FINITE, message="a step", ids=("a",)),
    ]
    text = printed(RunView.of(seen), 120)
    assert "2 unreadable, 1 step skipped; among them train.jsonl:3: expected a sound file" in text


def test_a_run_that_stopped_early_says_so(records: list[Record]) -> None:
    stopped = [record for record in records if record.step <= 30]
    assert "30 of 60 steps, 3 epochs" in printed(RunView.of(stopped))


def test_the_speed_of_a_resumed_run_is_that_of_the_part_that_was_seen() -> None:
    seen = [
        StartRecord(step=300, time_s=600.0, network="n"),
        StepRecord(step=310, time_s=610.0, audio_s=800.0, loss=2.0),
        StepRecord(step=320, time_s=620.0, audio_s=800.0, loss=1.0),
    ]
    text = printed(RunView.of(seen))
    assert "in 10:20, 80.00 s of audio per second" in text
    assert "2.00 at step 300, " in text


def test_nothing_known_is_no_error() -> None:
    assert "0 steps" in printed(RunView())


def test_lines_that_stand_out_are_named_from_the_last_epoch_that_has_any() -> None:
    lines = [{"line": f"train.jsonl:{number} (u)", "loss": 9.0 - number} for number in range(1, 8)]
    epochs = [
        EpochRecord(step=1, details={"suspects": [{"line": "early", "loss": 9.0}]}),
        EpochRecord(step=2, details={"suspects": lines}),
        EpochRecord(step=3, details={"suspects": []}),
        EpochRecord(step=4),
    ]
    text = " ".join(printed(RunView.of(epochs), 200).split())
    assert "train.jsonl:1 (u), train.jsonl:2 (u)" in text and "and 2 more" in text
    assert "early" not in text and "train.jsonl:6" not in text


def test_scores_of_training_rows_are_not_said_to_be_of_a_dev_part() -> None:
    check = CheckRecord(step=20, metrics={"cer": 0.5, "on_training_rows": 1.0}, best=True)
    text = printed(RunView.of([check]))
    assert "CER 50.0 % on training rows, at step 20" in text
    assert "dev part" not in text
