"""The folder of a run: one run in it, one process at it, nothing of an older one beside it."""

from __future__ import annotations

import json
import os
import shutil
import socket
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from ctcasr.kernels.atomic import file_in_the_way
from ctcasr.records import EpochRecord, EventRecord, Reason, read_records

WEIGHTS = ("best.pt", "last.pt")  # a folder that has one of these holds a run
_LEFT_BY_RUNS = ("settings.toml", "records.jsonl", "scores.json", "valid.json", "plots")
_LOCK = "run.lock"
_STALE_S = 600.0  # a lock of another host that nobody has touched for so long is left behind
_WRITING_S = 10.0  # within which the lock that a process has opened names it


class RunFolderError(ValueError):
    """A folder that another run has, or is at; says what to do."""


def holds_run(out: Path) -> bool:
    """Whether there are weights of a run in a folder."""
    return any((out / name).exists() for name in WEIGHTS)


def refuse_used(out: Path, overwrite: bool, auto_resume: bool = False) -> None:
    """Refuse to begin a run where there is one, or where no folder can be.

    With `auto_resume`, a run that was killed before its first last.pt is begun anew.

    Raises:
        RunFolderError: for a run, unless it shall be overwritten; for a file in the way.
    """
    in_the_way = file_in_the_way(out)
    if in_the_way is not None:
        raise RunFolderError(f"--out: expected a folder; {in_the_way} is a file")
    if overwrite or not holds_run(out) or (auto_resume and _died_in_its_first_epoch(out)):
        return
    there = [name for name in WEIGHTS if (out / name).exists()]
    written = max((out / name).stat().st_mtime for name in there)
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(written))
    raise RunFolderError(
        f"{out} holds a run ({', '.join(there)} of {when}): go on with it by --resume, replace it "
        "by --overwrite, or name another folder by --out"
    )


def _died_in_its_first_epoch(out: Path) -> bool:
    """Whether a best.pt is all that a run has left: that of its first check, or nearly so.

    The first last.pt is written behind the first epoch. A run of more epochs, or one that has
    finished, had one that somebody has taken away: such a best.pt is kept.
    """
    if (out / "last.pt").exists() or not (out / "records.jsonl").is_file():
        return False
    records = read_records(out)
    epochs = [record for record in records if isinstance(record, EpochRecord)]
    finished = any(
        isinstance(record, EventRecord) and record.reason == Reason.FINISHED for record in records
    )
    return bool(records) and len(epochs) <= 1 and not finished


def clear(out: Path) -> None:
    """Take away what an older run has left: nothing of it may stand beside the new weights.

    Files of anybody else stay: only weights, records, settings, plots and folders of scores go.
    """
    for name in (*WEIGHTS, *_LEFT_BY_RUNS):
        _remove(out / name)
    for scores in out.glob("*/scores.json"):
        _remove(scores.parent)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


@dataclass(frozen=True)
class LockOwner:
    """Which process is at a run."""

    host: str
    pid: int
    started: str = ""  # when the process began, as the system counts it; "" where it does not tell

    @staticmethod
    def this() -> LockOwner:
        """This process."""
        return LockOwner(socket.gethostname(), os.getpid(), _start_of(os.getpid()))

    def may_work(self, untouched_s: float) -> bool:
        """Whether the process may be at work, whose lock was touched so many seconds ago."""
        if self.host == socket.gethostname():
            return self.lives()
        return untouched_s <= _STALE_S

    def lives(self) -> bool:
        """Whether a process of this host is there; a new one with an old number is another."""
        if not self.pid or not _exists(self.pid):
            return False
        return not self.started or _start_of(self.pid) in ("", self.started)


class RunLock:
    """While entered, no other process can train in the folder.

    A lock that a killed process has left behind is taken over: one whose process is gone from this
    host, that nobody on another host has touched for ten minutes, or that has named nobody for ten
    seconds. `touch` now and then.
    """

    def __init__(self, out: Path) -> None:
        self.path = out / _LOCK
        self._held = False

    def acquire(self) -> None:
        """Take the lock.

        Raises:
            RunFolderError: where another process has it.
            OSError: where the disk refuses it, with what to do.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        while not self._held:
            try:
                self._create()
            except FileExistsError:
                self._refuse_living()
                self.path.unlink(missing_ok=True)
            except OSError as error:
                self.release()
                raise OSError(
                    error.errno,
                    f"could not write {self.path} ({error.strerror}). Free some space, or name "
                    "another folder by --out",
                ) from error

    def _create(self) -> None:
        """Write the lock; FileExistsError where there is one, OSError where the disk refuses."""
        owner = json.dumps(asdict(LockOwner.this()))
        # Without a buffer, which would be written once more where the file is closed.
        with open(self.path, "xb", buffering=0) as file:
            self._held = True
            file.write(owner.encode("utf-8"))

    def touch(self) -> None:
        """Say that the run is still going on."""
        if self._held:
            self.path.touch()

    def release(self) -> None:
        """Give the lock back."""
        if self._held:
            self.path.unlink(missing_ok=True)
            self._held = False

    def _refuse_living(self) -> None:
        """RunFolderError where the lock's owner may still be at work."""
        try:
            untouched_s = time.time() - self.path.stat().st_mtime
            owner = _owner_in(self.path.read_text(encoding="utf-8", errors="replace"))
        except FileNotFoundError:  # given back at this moment
            return
        if owner is None and untouched_s <= _WRITING_S:
            raise RunFolderError(
                f"{self.path} is empty or cut: a process is beginning in this folder, or was "
                f"killed as it did. Try again in {_WRITING_S:g} seconds"
            )
        if owner is not None and owner.may_work(untouched_s):
            raise RunFolderError(
                f"{self.path.parent}: process {owner.pid} on {owner.host} is training in this "
                "folder: wait for its end, or name another folder by --out. If there is none, "
                f"delete {self.path}"
            )


def _owner_in(text: str) -> LockOwner | None:
    """The owner that a lock names; None where it is not whole."""
    try:
        return LockOwner(**json.loads(text))
    except (ValueError, TypeError):
        return None


def _exists(pid: int) -> bool:
    """Whether a process with this number is there; assumed where asking would end it (Windows)."""
    if sys.platform == "win32":
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # somebody else's
        return True
    return True


def _start_of(pid: int) -> str:
    """When a process began, in clock ticks since the system did; "" where the system is silent."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except (OSError, UnicodeDecodeError):
        return ""
    return fields[_START_FIELD] if len(fields) > _START_FIELD else ""


_START_FIELD = 19  # of /proc/PID/stat, behind the name: proc(5), starttime
