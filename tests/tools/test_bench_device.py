"""What is asked of a CUDA device, tried without one: parts run, and wrong kernels are found."""

from __future__ import annotations

import importlib
import re
import tarfile
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from ctcasr.ctc import cpu
from ctcasr.ctc.batch import CtcBatch, CtcOutput
from ctcasr.records import CheckRecord, StepRecord

TOOLS = Path(__file__).resolve().parents[2] / "tools" / "bench"

pytestmark = pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(TOOLS))
    return importlib.import_module


@pytest.fixture
def ctc_parts(load: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The parts about the loss, in a small world of their own."""
    module: ModuleType = load("_device_ctc")
    monkeypatch.setattr(module, "KERNELS_ARE_WRONG", tmp_path / "wrong")
    monkeypatch.setattr(module, "WIDTHS", (0, 12))
    monkeypatch.setattr(module, "SMALL_WIDTHS", (5,))
    monkeypatch.setattr(module, "SAME_BITS", 2)
    return module


def test_the_script_names_parts_that_exist(load: Any) -> None:
    parts = load("device_day").PARTS
    script = (TOOLS / "device_day.sh").read_text(encoding="utf-8")
    match = re.search(r'^PARTS="(.*)"', script, re.MULTILINE)
    limits = re.search(r"LIMITS=\(([^)]*)\)", script)
    assert match and limits
    limited = set(re.findall(r"\[(\w+)\]=", limits[1]))
    own = {"tests", "sanitizer", "ncu"}  # that are no Python of ours
    assert set(match[1].split()) <= limited
    assert limited - own <= set(parts)


def test_right_kernels_leave_no_mark(
    ctc_parts: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    ctc_parts.smoke()
    ctc_parts.small()
    told = capsys.readouterr().out
    assert "0 of 2 repeats differ" in told and "WRONG" not in told
    assert not ctc_parts.KERNELS_ARE_WRONG.exists()


def test_a_wrong_gradient_is_found_and_remembered(
    ctc_parts: ModuleType,
    load: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def skewed(logits: torch.Tensor, ctc_batch: CtcBatch, need_grad: bool) -> CtcOutput:
        output = cpu.forward_backward(logits, ctc_batch, need_grad)
        assert output.grad is not None
        output.grad[0, -1, 0] += 1e-2
        return output

    monkeypatch.setattr(ctc_parts, "kernel", lambda: skewed)
    with pytest.raises(SystemExit, match="WRONG: 24 batches"):
        ctc_parts.smoke()
    assert "off by gradient 0.01" in capsys.readouterr().out
    assert ctc_parts.KERNELS_ARE_WRONG.exists()


def test_what_trains_behind_wrong_kernels_takes_the_loss_of_torch(
    load: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = load("_device_runs")
    mark = tmp_path / "wrong"
    mark.touch()
    monkeypatch.setattr(runs, "KERNELS_ARE_WRONG", mark)
    monkeypatch.setattr(runs, "RUNS", tmp_path)
    commands = []
    monkeypatch.setattr(runs.subprocess, "Popen", lambda command, **_: commands.append(command))
    runs.Run("one", "grid_s1", "--epochs", "3")
    assert commands[0][-4:] == ["--ctc-backend", "torch", "--epochs", "3"]


def test_a_run_is_told_by_its_records(
    load: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = load("_device_runs")
    records: list[Any] = []
    for step in range(1, 31):
        spent = {"step_s": 0.5, "wait_s": 0.125, "audio_s": 50.0, "steps": 5}
        records.append(StepRecord(step=5 * step, time_s=float(step), **spent))
        records.append(CheckRecord(step=5 * step, time_s=float(step), metrics={"wer": 1 / step}))
    runs.print_records(records)
    told = capsys.readouterr().out
    assert "steps 150, ms a step 100, audio-s/s in steps 80, over all 50" in told
    assert "waiting for data % 20, seconds in all 30" in told
    assert "3 s 33.33" in told and "30 s 3.333" in told and "1 s 100" not in told
    runs.print_records([])
    assert "no step" in capsys.readouterr().out


def test_records_of_runs_are_brought_home_without_their_networks(
    load: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = load("_device_runs")
    monkeypatch.setattr(runs, "RUNS", tmp_path / "runs")
    monkeypatch.setattr(runs, "OUT", tmp_path / "out")
    folder = tmp_path / "runs" / "grid"
    folder.mkdir(parents=True)
    for name in ("records.jsonl", "best.pt", "settings.toml"):
        (folder / name).write_text("a")
    runs.keep_runs()
    with tarfile.open(tmp_path / "out" / "runs.tar.gz") as archive:
        assert set(archive.getnames()) == {"grid/records.jsonl", "grid/settings.toml"}
