"""Threads: given up beside busy neighbours, taken back without them, and never the user's."""

from __future__ import annotations

import os

import pytest

from ctcasr.kernels import governor as module
from ctcasr.kernels.cores import CpuTimes
from ctcasr.kernels.governor import Governor, governor_of_torch, settle_waiting


class Machine:
    """A machine on whose cores others are at work, as told step by step."""

    def __init__(self) -> None:
        self.clock_s = 0.0
        self.machine_s = 0.0
        self.own_s = 0.0

    def passes(self, seconds: float, others: float, own: float = 1.0) -> None:
        self.clock_s += seconds
        self.machine_s += seconds * (others + own)
        self.own_s += seconds * own

    def times(self) -> CpuTimes:
        return CpuTimes(self.clock_s, self.machine_s, self.own_s)


def chosen(machine: Machine, governor: Governor, others: float, looks: int = 4) -> int:
    for _ in range(looks):
        machine.passes(2.0, others)
        governor.look()
    return governor.threads


@pytest.mark.parametrize("cores", [2, 8])
def test_threads_follow_what_others_leave(monkeypatch: pytest.MonkeyPatch, cores: int) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: cores)
    machine = Machine()
    governor = Governor(cores, lambda _: None, machine.times)
    governor.look()
    assert chosen(machine, governor, 0.1) == cores
    assert chosen(machine, governor, 1.0) == cores - 1
    assert chosen(machine, governor, 0.35) == cores - 1  # between the thresholds all stays
    assert chosen(machine, governor, 0.0) == cores
    assert chosen(machine, governor, 50.0) == 1


def test_threads_beyond_the_quota_of_a_large_machine_are_never_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    machine = Machine()
    governor = Governor(4, lambda _: None, machine.times)
    governor.look()
    assert chosen(machine, governor, 30.0) == 4  # enough is left for all of ours
    assert chosen(machine, governor, 62.0) == 2


def test_one_look_is_not_enough_and_what_changed_is_told_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    machine = Machine()
    applied: list[int] = []
    governor = Governor(2, applied.append, machine.times)
    changes = []
    for others in (0.0, 1.0, 0.0, 1.0, 1.0, 1.0):
        machine.passes(2.0, others)
        changes.append(governor.look())
    assert applied == [1] and [change is not None for change in changes].count(True) == 1
    assert "1 thread" in str(changes[4])
    machine.passes(0.5, 0.0)
    assert governor.look() is None  # too early for another look


def test_what_the_user_has_said_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    said = {"OMP_WAIT_POLICY": "active", "OMP_NUM_THREADS": "3"}
    settle_waiting(said)
    assert said == {"OMP_WAIT_POLICY": "active", "OMP_NUM_THREADS": "3"}
    blas = {"OPENBLAS_NUM_THREADS": "2"}
    settle_waiting(blas)
    assert blas["OPENBLAS_NUM_THREADS"] == "2"
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    assert governor_of_torch() is None


def test_a_quota_sets_the_threads_and_lets_them_change(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 16)
    monkeypatch.setattr(module, "usable_cores", lambda: 4)
    said: dict[str, str] = {}
    settle_waiting(said)
    assert said["OMP_NUM_THREADS"] == "4" and "GOMP_SPINCOUNT" in said
    assert said["OPENBLAS_NUM_THREADS"] == "1"
    assert "CTCASR_CHOSE_THREADS" in said


def test_nothing_is_done_where_the_system_tells_nothing() -> None:
    governor = Governor(2, lambda _: None, lambda: None)
    assert governor.look() is None and governor.threads == 2
