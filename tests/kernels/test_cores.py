"""Cores: what the system's files say, and nothing where they say nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from ctcasr.kernels import cores
from ctcasr.kernels.cores import CpuTimes, busy_ticks, usable_cores


@pytest.mark.parametrize(("quota", "wanted"), [("50000 100000", 1), ("max 100000", None)])
def test_a_container_has_the_cores_of_its_quota(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, quota: str, wanted: int | None
) -> None:
    everything = usable_cores()
    file = tmp_path / "cpu.max"
    file.write_text(quota, encoding="ascii")
    monkeypatch.setattr(cores, "_QUOTA", file)
    assert usable_cores() == (wanted or everything)


def test_the_older_control_groups_have_two_files(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, content in (("quota", "100000\n"), ("period", "100000\n")):
        (tmp_path / name).write_text(content, encoding="ascii")
    monkeypatch.setattr(cores, "_QUOTA", tmp_path / "none")
    monkeypatch.setattr(cores, "_QUOTA_BEFORE", tmp_path / "quota")
    monkeypatch.setattr(cores, "_PERIOD_BEFORE", tmp_path / "period")
    assert usable_cores() == 1


def test_what_others_use_is_the_machine_less_ourselves() -> None:
    before = CpuTimes(0.0, 100.0, 10.0)
    assert CpuTimes(4.0, 106.0, 14.0).others_since(before) == 0.5
    assert CpuTimes(4.0, 103.0, 14.0).others_since(before) == 0.0  # clocks tick apart
    assert before.others_since(before) == 0.0


def test_other_systems_tell_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert busy_ticks("") is None and busy_ticks("intr 1 2 3 4 5 6 7 8 9") is None
    monkeypatch.setattr(cores, "_STAT", tmp_path / "none")
    assert CpuTimes.now() is None
