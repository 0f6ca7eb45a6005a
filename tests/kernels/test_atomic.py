"""Files are whole or not there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ctcasr.kernels.atomic import file_in_the_way, part_of, publish, replacing, write_text


@pytest.mark.parametrize("shared", [False, True])
def test_an_error_leaves_the_old_file_and_nothing_else(shared: bool, tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_text(path, "old")
    with pytest.raises(KeyError), replacing(path, shared=shared) as part:
        part.write_text("half")
        raise KeyError
    assert path.read_text() == "old" and [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_a_full_disk_at_the_last_moment_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.txt"
    write_text(path, "old")

    def full(*_: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_text(path, "new")
    write_text(path, "cache", durable=False)
    assert path.read_text() == "cache" and [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_what_a_killed_process_left_is_written_over(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "a.txt"
    path.parent.mkdir()
    part_of(path).write_text("left over and longer than the new one")
    write_text(path, "new\n")
    assert path.read_bytes() == b"new\n" and list(path.parent.iterdir()) == [path]


def test_folders_are_replaced_too(tmp_path: Path) -> None:
    folder = tmp_path / "events"
    with replacing(folder, durable=False, shared=True) as part:
        part.mkdir()
        (part / "one").touch()
    assert [p.name for p in folder.iterdir()] == ["one"]


def test_processes_that_share_a_file_have_a_part_each(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    part = part_of(path, shared=True)
    assert str(os.getpid()) in part.name and part_of(path) != part
    part.write_bytes(b"1")
    publish(part, path)
    assert path.read_bytes() == b"1" and not part.exists()


def test_what_is_no_folder_stands_in_the_way_wherever_it_lies_above(tmp_path: Path) -> None:
    assert file_in_the_way(tmp_path) is None
    assert file_in_the_way(tmp_path / "new" / "newer") is None
    file = tmp_path / "a.txt"
    write_text(file, "here")
    assert file_in_the_way(file) == file
    assert file_in_the_way(file / "runs" / "mine") == file
    link = tmp_path / "nowhere"
    link.symlink_to(tmp_path / "gone")
    assert file_in_the_way(link / "runs") == link
