"""The clock goes on from what earlier sessions took, and only while it runs."""

from __future__ import annotations

import time

import pytest

from ctcasr.train.clock import Clock


def test_it_goes_on_from_the_seconds_of_earlier_sessions(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    clock = Clock()
    assert clock.now() == 0.0
    clock.start(40.0)
    now[0] += 2.5
    clock.start(0.0)  # later calls change nothing
    assert clock.now() == 42.5 and clock.since_save() == 2.5
    clock.saved()
    assert clock.since_save() == 0.0
