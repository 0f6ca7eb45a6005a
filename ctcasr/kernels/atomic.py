"""Files that are whole or not there: written beside their place first, then renamed into it."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path


def file_in_the_way(folder: Path) -> Path | None:
    """What lies where a folder is to be made, or above it, and is none; None where it can be made.

    Example:
        >>> file_in_the_way(Path(__file__) / "runs") == Path(__file__)
        True
    """
    for place in (folder, *folder.parents):
        if place.is_dir():
            return None
        if place.exists() or place.is_symlink():
            return place
    return None


@contextlib.contextmanager
def replacing(path: Path, *, durable: bool = True, shared: bool = False) -> Iterator[Path]:
    """A neighbour of `path` to write to: it takes the name where the body ends.

    Where the body raises, it goes. With `durable`, the bytes are on the disk before the old file is
    given up. With `shared`, several processes may write at once: each has a neighbour of its own.
    Else what a killed process has left is written over. The folder is made where it is missing.

    Raises:
        OSError: where the system refuses to write; `path` is then what it was before.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "notes.txt"
        >>> with replacing(path) as part:
        ...     written = part.write_text("all of it", encoding="utf-8")
        ...     path.exists()
        False
        >>> path.read_text(encoding="utf-8")
        'all of it'
    """
    part = part_of(path, shared)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        yield part
        publish(part, path, durable)
    finally:
        _remove(part)


def part_of(path: Path, shared: bool = False) -> Path:
    """The neighbour under which a file is written; with `shared`, this process's own.

    Example:
        >>> part_of(Path("runs/best.pt")).name
        '.best.pt.part'
    """
    owner = f".{os.getpid()}" if shared else ""
    return path.with_name(f".{path.name}{owner}.part")


def publish(part: Path, path: Path, durable: bool = True) -> None:
    """Give a file that is whole its name; OSError where the system refuses."""
    if durable:
        _flush(part)
    os.replace(part, path)


def write_text(path: Path, text: str, *, durable: bool = True, shared: bool = False) -> None:
    """Write `text` as UTF-8 with plain newlines, whole or not at all; OSError as `replacing`."""
    with replacing(path, durable=durable, shared=shared) as part:
        part.write_text(text, encoding="utf-8", newline="\n")


def _flush(path: Path) -> None:
    """Hand a file's bytes to the disk."""
    with open(path, "r+b") as file:
        os.fsync(file.fileno())


def _remove(path: Path) -> None:
    """Take away what was not renamed: a file, or a folder with all that is in it."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
