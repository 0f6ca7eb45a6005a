"""Progress without a terminal: a line every half minute, none for what is quick."""

from __future__ import annotations

import pytest

from ctcasr.commands.progress import Lines, progress_bar


def test_a_line_every_half_minute(capsys: pytest.CaptureFixture[str]) -> None:
    now = [0.0]
    lines = Lines("listening", clock=lambda: now[0])
    for done in range(1, 101):
        now[0] = 2.0 * done
        lines(done, 100)
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 6
    assert told[0] == "listening: 15 of 100, 0:30 passed, about 2:50 left"


def test_what_is_quick_is_silent(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_bar("reading") as report:
        for done in range(5):
            report(done, 5)
    captured = capsys.readouterr()
    assert captured.out == captured.err == ""


def test_what_came_before_the_first_report_is_not_reckoned_with(
    capsys: pytest.CaptureFixture[str],
) -> None:
    now = [0.0]
    lines = Lines("judging", clock=lambda: now[0])
    for done, seconds in ((1, 195.0), (11, 205.0), (61, 255.0)):
        now[0] = seconds
        lines(done, 121)
    told = capsys.readouterr().err.splitlines()
    assert told == [
        "judging: 1 of 121, 3:15 passed",
        "judging: 61 of 121, 4:15 passed, about 1:00 left",
    ]
