"""Run folders: one run in each, one process at it, nothing of an older one beside the new one."""

from __future__ import annotations

import errno
import io
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ctcasr import checkpoint
from ctcasr.records import EpochRecord, read_records
from ctcasr.train import RunFolderError, TrainConfig, fit, folder
from ctcasr.train.checkpointer import Checkpointer
from ctcasr.train.folder import LockOwner, RunLock, clear, holds_run, refuse_used

CONFIG = TrainConfig(epochs=1, device="cpu")


def lock_of(out: Path, **owner: Any) -> Path:
    path = out / "run.lock"
    path.write_text(json.dumps(owner), encoding="utf-8")
    return path


def ended_pid() -> int:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    return process.pid


def test_a_second_run_into_the_same_folder_is_refused_before_it_touches_anything(
    toy: Any, fixed: Any, make_batch: Any, tmp_path: Path
) -> None:
    data = fixed([make_batch("a")])
    list(fit(toy(), data, None, out=tmp_path, config=CONFIG))
    (tmp_path / "valid").mkdir()
    (tmp_path / "valid" / "scores.json").write_text("{}")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(RunFolderError, match=r"holds a run .*--resume.*--overwrite.*--out"):
        list(fit(toy(), data, None, out=tmp_path, config=CONFIG))
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_a_file_in_the_way_is_told_before_anything_is_prepared(tmp_path: Path) -> None:
    (tmp_path / "notes").write_text("mine")
    for out in (tmp_path / "notes", tmp_path / "notes" / "run"):
        with pytest.raises(RunFolderError, match=r"expected a folder; .*notes is a file"):
            refuse_used(out, overwrite=True)
    refuse_used(tmp_path / "new" / "run", overwrite=False)


def test_overwriting_leaves_nothing_of_the_old_run_beside_the_new_one(
    toy: Any, fixed: Any, make_batch: Any, tmp_path: Path
) -> None:
    data = fixed([make_batch("a")])
    list(fit(toy(), data, None, out=tmp_path, config=CONFIG))
    for name in ("valid", "test-clean", "mine"):
        (tmp_path / name).mkdir()
    for name in ("valid", "test-clean"):
        (tmp_path / name / "scores.json").write_text("{}")
    (tmp_path / "mine" / "notes.txt").write_text("of somebody else")
    overwrite = TrainConfig(epochs=1, device="cpu", overwrite=True)
    list(fit(toy(), data, None, out=tmp_path, config=overwrite))
    assert {path.name for path in tmp_path.iterdir()} == {
        "best.pt",
        "last.pt",
        "records.jsonl",
        "mine",
    }


def test_what_a_failed_start_has_left_is_no_run(tmp_path: Path) -> None:
    (tmp_path / "records.jsonl").touch()
    assert not holds_run(tmp_path)
    refuse_used(tmp_path, overwrite=False)
    clear(tmp_path)
    assert list(tmp_path.iterdir()) == []


def killed_at_its_first_last_pt(
    toy: Any, data: Any, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        """As SIGKILL: nothing of the run comes after it."""

    def kill(*_: Any, **__: Any) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Checkpointer, "save_last", kill)
        with pytest.raises(Killed):
            list(fit(toy(), data, data, out=out, config=CONFIG))
    assert holds_run(out) and not (out / "last.pt").exists()


def test_a_run_that_died_before_its_first_last_pt_is_begun_anew_by_auto_resume_alone(
    toy: Any, fixed: Any, make_batch: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = fixed([make_batch("a")])
    killed_at_its_first_last_pt(toy, data, tmp_path, monkeypatch)
    with pytest.raises(RunFolderError, match=r"holds a run \(best\.pt"):
        list(fit(toy(), data, data, out=tmp_path, config=CONFIG))
    records = list(fit(toy(), data, data, out=tmp_path, config=replace(CONFIG, auto_resume=True)))
    assert [record.kind for record in records].count("epoch") == 1
    assert read_records(tmp_path) == records and (tmp_path / "last.pt").is_file()


@pytest.mark.parametrize("left", ["best of a finished run", "best of later epochs", "best alone"])
def test_auto_resume_keeps_a_best_pt_whose_last_pt_somebody_has_taken_away(
    left: str, toy: Any, fixed: Any, make_batch: Any, tmp_path: Path
) -> None:
    data = fixed([make_batch("a")])
    epochs = 3 if left == "best of later epochs" else 1
    stream = fit(toy(), data, data, out=tmp_path, config=replace(CONFIG, epochs=epochs))
    for record in stream:
        if isinstance(record, EpochRecord) and record.epoch == 2:
            break
    stream.close()
    (tmp_path / "last.pt").unlink()
    if left == "best alone":
        (tmp_path / "records.jsonl").unlink()
    with pytest.raises(RunFolderError, match=r"holds a run \(best\.pt"):
        refuse_used(tmp_path, overwrite=False, auto_resume=True)


def test_two_processes_at_once_are_refused_and_the_lock_goes_with_the_run(
    toy: Any, fixed: Any, make_batch: Any, tmp_path: Path
) -> None:
    data = fixed([make_batch("a")])
    stream = fit(toy(), data, None, out=tmp_path, config=CONFIG)
    next(stream)
    with pytest.raises(RunFolderError, match=rf"process {os.getpid()} on .* is training in this"):
        list(fit(toy(), data, None, out=tmp_path, config=CONFIG))
    assert list(stream)[-1].kind == "event"
    assert not (tmp_path / "run.lock").exists()
    assert checkpoint.load(tmp_path / "best.pt")["kind"] == "toy"


def test_a_lock_that_a_killed_process_left_is_taken_over(tmp_path: Path) -> None:
    this = LockOwner.this()
    lock_of(tmp_path, host=this.host, pid=ended_pid(), started="1")
    lock = RunLock(tmp_path)
    lock.acquire()
    assert json.loads(lock.path.read_text(encoding="utf-8"))["pid"] == os.getpid()
    lock.release()
    assert not lock.path.exists()


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="no /proc here")
def test_a_new_process_with_the_number_of_the_old_one_is_another(tmp_path: Path) -> None:
    this = LockOwner.this()
    lock_of(tmp_path, host=this.host, pid=this.pid, started=f"{int(this.started) - 1}")
    RunLock(tmp_path).acquire()


def test_a_lock_of_another_host_holds_as_long_as_it_is_touched(tmp_path: Path) -> None:
    path = lock_of(tmp_path, host="elsewhere", pid=1, started="1")
    with pytest.raises(RunFolderError, match=r"process 1 on elsewhere .*delete .*run\.lock"):
        RunLock(tmp_path).acquire()
    long_ago = path.stat().st_mtime - 3600
    os.utime(path, (long_ago, long_ago))
    lock = RunLock(tmp_path)
    lock.acquire()
    lock.touch()
    lock.release()


@pytest.mark.parametrize("text", ["", '{"host": "el', "3", "\udc80"])
def test_a_lock_cut_by_a_crash_does_not_last(text: str, tmp_path: Path) -> None:
    path = tmp_path / "run.lock"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(RunFolderError, match=r"run\.lock is empty or cut.*in 10 seconds"):
        RunLock(tmp_path).acquire()
    a_moment_ago = path.stat().st_mtime - 11
    os.utime(path, (a_moment_ago, a_moment_ago))
    RunLock(tmp_path).acquire()


class _FullDisk(io.RawIOBase):
    """A file that takes nothing."""

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_is_told_by_the_name_of_the_lock_and_leaves_none_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def opened(path: Path, *_: Any, **__: Any) -> _FullDisk:
        path.touch()
        return _FullDisk()

    with monkeypatch.context() as patch:
        patch.setattr(folder, "open", opened, raising=False)
        with pytest.raises(OSError, match=r"could not write .*run\.lock \(No space.*--out"):
            RunLock(tmp_path).acquire()
    assert list(tmp_path.iterdir()) == []
    RunLock(tmp_path).acquire()
