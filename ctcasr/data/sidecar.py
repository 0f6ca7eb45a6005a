"""Who enhanced a file: a sidecar in its folder names every file that an enhancer wrote there."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, TypedDict

from ctcasr.kernels.atomic import write_text

ENHANCED_BY = "enhanced_by.json"
_FOLDERS_ABOVE = 2  # of a file's own, where a sidecar for whole folders is looked for


class Sidecar(TypedDict):
    """What lies in a folder beside files that enhancers wrote."""

    enhancers: dict[str, Mapping[str, Any]]  # by a key: checkpoint, fingerprint, listener, ...
    files: dict[str, str]  # name of each file that was written, and the key of who wrote it
    others: Mapping[str, Any] | None  # who wrote all others, here and below; None: no enhancer


def enhanced_by(path: Path | str) -> Mapping[str, Any] | None:
    """What sidecars say about the enhancer that wrote a file; None where none wrote it.

    A sidecar names the files of its own folder. One of a former version, which names none, speaks
    for all files in its folder and in the two folders below; empty for one that cannot be read.
    """
    path = Path(path)
    folder = path.parent.resolve()
    own = read_sidecar(folder)
    if own is not None and path.name in own["files"]:
        return own["enhancers"].get(own["files"][path.name], {})
    for place in (folder, *folder.parents[:_FOLDERS_ABOVE]):
        sidecar = read_sidecar(place)
        if sidecar is not None and sidecar["others"] is not None:
            return sidecar["others"]
    return None


def sign(folder: Path, names: Iterable[str], key: str, enhancer: Mapping[str, Any]) -> None:
    """Name files in the sidecar of their folder, before one might pass for a recording.

    Raises:
        OSError: where the sidecar cannot be written.
    """
    sidecar = read_sidecar(folder) or Sidecar(enhancers={}, files={}, others=None)
    signed = Sidecar(
        enhancers={**sidecar["enhancers"], key: enhancer},
        files={**sidecar["files"], **dict.fromkeys(names, key)},
        others=sidecar["others"],
    )
    if signed != sidecar:
        write_text(folder / ENHANCED_BY, json.dumps(signed, indent=1) + "\n", durable=False)


def merged(enhancers: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What is to be said of files that several enhancers wrote: the values of each, with spaces.

    Example:
        >>> merged([{"checkpoint": "a.pt", "listener": None}, {"checkpoint": "b.pt"}])
        {'checkpoint': 'a.pt b.pt', 'listener': None}
    """
    values: dict[str, list[str]] = {}
    for enhancer in enhancers:
        for name, value in enhancer.items():
            known = values.setdefault(name, [])
            if value is not None and str(value) not in known:
                known.append(str(value))
    return {name: " ".join(known) or None for name, known in values.items()}


def read_sidecar(folder: Path) -> Sidecar | None:
    """The sidecar in a folder; None without one."""
    path = folder / ENHANCED_BY
    try:
        if not path.is_file():
            return None
        stat = path.stat()
    except OSError:
        return None
    return _read(path, stat.st_mtime_ns, stat.st_size)


@lru_cache(maxsize=4096)
def _read(path: Path, mtime_ns: int, size: int) -> Sidecar:
    """The content of a sidecar as it was at a time."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        content = {}
    if not isinstance(content, dict):
        content = {}
    files = content.get("files")
    enhancers = content.get("enhancers")
    if not isinstance(files, dict) or not isinstance(enhancers, dict):
        return Sidecar(enhancers={}, files={}, others=content)  # of a former version, or damaged
    return Sidecar(enhancers=enhancers, files=files, others=content.get("others"))
