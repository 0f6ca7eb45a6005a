"""Plain lines: what each record is worth, and what a start tells."""

from __future__ import annotations

from typing import Any

from ctcasr.records import CheckRecord, EventRecord, Reason, StartRecord, StepRecord
from ctcasr.show.plain import PlainLines, named, start_lines


def test_steps_have_a_line_every_ten_seconds() -> None:
    plain = PlainLines()
    lines = [plain.lines(StepRecord(step=k, loss=1.0, time_s=float(k))) for k in range(1, 32)]
    assert [k for k, line in enumerate(lines, 1) if line] == [1, 11, 21, 31]


def test_a_verdict_is_told_when_it_changes(cause: dict[str, Any]) -> None:
    plain = PlainLines()
    wait = {"state": "plateau: wait", "causes": []}
    trouble = {"state": "trouble", "causes": [cause]}
    told = []
    for step, verdict in enumerate([wait, wait, trouble, trouble, wait]):
        told.append(len(plain.lines(CheckRecord(step=step, verdict=verdict))) - 1)
    assert told == [1, 0, 1, 0, 1]


def test_utterances_that_the_message_names_are_not_named_again() -> None:
    ids = ["a: too short", "b", *(f"u{k}" for k in range(9))]
    event = EventRecord(step=1, reason=Reason.INFEASIBLE, message="left out: b", ids=ids)
    assert named(event) == " (a, u0, u1, u2, u3 and 5 more)"
    assert named(EventRecord(step=1, message="x")) == ""


def test_a_start_tells_what_is_known_and_no_more() -> None:
    assert start_lines(StartRecord(step=0)) == [
        "network: -, - parameters, on -",
        "plan: - epochs, - steps",
    ]
    budgeted = StartRecord(step=0, epochs=9, steps=90, budget="30m")
    assert start_lines(budgeted)[1] == (
        "plan: 9 epochs, 90 steps; as many as fit into 30m, counted anew after each epoch"
    )
    details = {"uncovered": {"é": 3, "ß": 7}, "skipped": [f"line {k}" for k in range(7)]}
    start = StartRecord(
        step=0, expected_total_s=61.0, expected_memory_bytes=3 << 30, details=details
    )
    lines = start_lines(start)
    assert "expected: 1:01 in all, 3.0 GiB of memory at first" in lines
    assert "not in the alphabet: 'ß' x 7, 'é' x 3" in lines
    assert "left out of the manifest: 7" in lines and lines[-1] == "  and 2 more"
