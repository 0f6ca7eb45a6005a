"""Checkpoints: whole or not at all, and nothing is executed when one is read."""

from __future__ import annotations

import errno
import io
import os
import pickle
import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch

from ctcasr import checkpoint
from ctcasr.checkpoint import CheckpointError, load, save

PAYLOAD = {
    "kind": "test",
    "numbers": [1, 2.5, None, True],
    "nested": {"text": "ümlaut", "bytes": b"\x00\xff"},
    "network": {"weight": torch.arange(5000.0), "flag": torch.tensor(True)},
}


def same(a: Any, b: Any) -> bool:
    if isinstance(a, torch.Tensor):
        return isinstance(b, torch.Tensor) and a.dtype == b.dtype and torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    return type(a) is type(b) and bool(a == b)


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    path = save(tmp_path / "new" / "folder" / "last.pt", PAYLOAD)
    assert same(load(path), {"format": checkpoint.FORMAT, **PAYLOAD})
    assert [p.name for p in path.parent.iterdir()] == ["last.pt"]


def test_saving_again_replaces(tmp_path: Path) -> None:
    save(tmp_path / "last.pt", {"a": 1})
    save(tmp_path / "last.pt", {"a": 2})
    assert load(tmp_path / "last.pt")["a"] == 2


def _no_space(*_: Any, **__: Any) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("where", ["builtins.open", "os.fsync", "os.replace"])
@pytest.mark.parametrize("old", [True, False])
def test_a_full_disk_leaves_the_old_file_whole(
    where: str, old: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "last.pt"
    if old:
        save(path, PAYLOAD)
    before = path.read_bytes() if old else None
    with monkeypatch.context() as patch:
        patch.setattr(where, _no_space)
        with pytest.raises(
            OSError, match=r"could not write the checkpoint .*last\.pt.*Free some space and resume"
        ) as caught:
            save(path, {"other": torch.zeros(10)})
    assert ("is untouched" in str(caught.value)) == old and caught.value.errno == errno.ENOSPC
    assert [p.name for p in tmp_path.iterdir()] == (["last.pt"] if old else [])
    if old:
        assert path.read_bytes() == before and same(
            load(path), {"format": checkpoint.FORMAT, **PAYLOAD}
        )
    save(path, {"a": 3})  # space is free again
    assert load(path)["a"] == 3


@contextmanager
def _file_limit(size: int) -> Iterator[None]:
    resource = pytest.importorskip("resource", reason="no file size limits on this system")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("size", [0, 100, 5_000, 20_000])
def test_a_write_that_the_system_stops_leaves_the_old_file_whole(size: int, tmp_path: Path) -> None:
    path = save(tmp_path / "last.pt", PAYLOAD)
    with (
        _file_limit(size),
        pytest.raises(OSError, match=r"could not write the checkpoint .* is untouched"),
    ):
        save(path, {"network": torch.randn(100_000)})
    assert [p.name for p in tmp_path.iterdir()] == ["last.pt"]
    assert same(load(path)["network"], PAYLOAD["network"])


def test_an_error_of_the_program_stays_what_it_is(tmp_path: Path) -> None:
    class Local:
        pass

    with pytest.raises((AttributeError, pickle.PicklingError)):
        save(tmp_path / "last.pt", {"thing": Local()})  # cannot be pickled
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_while_writing_leaves_no_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    path = save(tmp_path / "last.pt", {"a": 1})
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", interrupted)
        with pytest.raises(KeyboardInterrupt):
            save(path, {"a": 2})
    assert [p.name for p in tmp_path.iterdir()] == ["last.pt"] and load(path)["a"] == 1


def test_another_format_number_is_told(tmp_path: Path) -> None:
    for number in (0, 2, "1", None):
        torch.save({"format": number}, tmp_path / "x.pt")
        with pytest.raises(
            CheckpointError, match=rf"format {number}; this ctcasr reads format {checkpoint.FORMAT}"
        ):
            load(tmp_path / "x.pt")


@pytest.mark.parametrize("thing", [{"model": torch.zeros(3)}, [1, 2], torch.zeros(3), "text"])
def test_a_torch_file_that_is_no_checkpoint_is_told(thing: object, tmp_path: Path) -> None:
    torch.save(thing, tmp_path / "x.pt")
    with pytest.raises(CheckpointError, match="no format number"):
        load(tmp_path / "x.pt")


class Code:
    """What a pickle must not be able to do."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (os.environ["CTCASR_TEST_TRAP"],)


@pytest.mark.parametrize("writer", ["torch", "pickle"])
def test_code_in_a_file_is_refused_and_not_run(
    writer: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trap = tmp_path / "trap"
    monkeypatch.setenv("CTCASR_TEST_TRAP", str(trap))
    buffer = io.BytesIO()
    if writer == "torch":
        torch.save({"format": 1, "thing": Code()}, buffer)
    else:
        pickle.dump({"format": 1, "thing": Code()}, buffer)
    (tmp_path / "x.pt").write_bytes(buffer.getvalue())
    with pytest.raises(CheckpointError, match="torch cannot read it") as refused:
        load(tmp_path / "x.pt")
    assert "weights_only" not in str(refused.value)  # torch's advice would run it
    assert not trap.exists()
    pickle.loads(pickle.dumps(Code()))  # the trap does work
    assert trap.exists()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x80",
        b"PK\x03\x04",
        b"hello, I am no checkpoint\n" * 50,
        b"RIFF\x00\x00\x00\x00WAVE",
        b"\x80\x02}",
        bytes(2000),
    ],
)
def test_other_files_are_told(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "x.pt").write_bytes(content)
    with pytest.raises(CheckpointError, match=r"x\.pt: expected a ctcasr checkpoint"):
        load(tmp_path / "x.pt")


def test_random_bytes_are_told(tmp_path: Path) -> None:
    draw = random.Random(0)
    for start in (b"", b"\x80\x02", b"\x80\x04", b"PK\x03\x04"):
        for _ in range(50):
            (tmp_path / "x.pt").write_bytes(start + draw.randbytes(draw.randrange(400)))
            with pytest.raises(CheckpointError):
                load(tmp_path / "x.pt")


def test_a_truncated_file_is_told_wherever_it_ends(tmp_path: Path) -> None:
    whole = save(tmp_path / "last.pt", PAYLOAD).read_bytes()
    for size in sorted({*range(0, 400, 37), *range(0, len(whole), 1501), len(whole) - 1}):
        (tmp_path / "cut.pt").write_bytes(whole[:size])
        with pytest.raises(CheckpointError, match=r"cut\.pt"):
            load(tmp_path / "cut.pt")


def test_a_missing_file_and_a_folder_are_told(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no such file"):
        load(tmp_path / "none.pt")
    with pytest.raises(CheckpointError, match=r"it is a folder.*best\.pt"):
        load(tmp_path)


@pytest.mark.skipif(
    sys.platform == "win32" or not hasattr(os, "geteuid") or os.geteuid() == 0,
    reason="needs a user whom permissions bind",
)
def test_a_folder_that_may_not_be_written_is_told(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(OSError):
            save(tmp_path / "last.pt", {"a": 1})
    finally:
        tmp_path.chmod(0o700)
