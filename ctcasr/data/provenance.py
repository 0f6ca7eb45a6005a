"""What a model was trained on, so that a later comparison can tell: short hashes of its recordings, and enhanced ones among them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from ctcasr.batch import Utterance

ENHANCED_BY = "enhanced_by.json"  # lies beside files that an enhancer wrote: {"checkpoint", "fingerprint", "listener", ...}
_ENDS = 1 << 16  # bytes that are read at either end


def fingerprint(path: Path | str) -> str:
    """16 hex digits of a file's length, beginning and end (64 KiB each): cheap for any corpus; FileNotFoundError."""
    path = Path(path)
    size = path.stat().st_size
    found = hashlib.sha1(str(size).encode(), usedforsecurity=False)
    with path.open("rb") as file:
        found.update(file.read(_ENDS))
        if size > _ENDS:
            file.seek(max(_ENDS, size - _ENDS))
            found.update(file.read(_ENDS))
    return found.hexdigest()[:16]


def enhanced_by(folder: Path | str) -> dict[str, Any] | None:
    """What the sidecar in `folder`, or in one of the two above it, says about the enhancer; None without one."""
    return _sidecar(Path(folder).resolve())


@lru_cache(maxsize=4096)
def _sidecar(folder: Path) -> dict[str, Any] | None:
    for at in (folder, *folder.parents[:2]):
        if (at / ENHANCED_BY).is_file():
            try:
                found = json.loads((at / ENHANCED_BY).read_text(encoding="utf-8"))
            except ValueError:
                found = {}
            return found if isinstance(found, dict) else {}
    return None


def provenance_of(utterances: Sequence[Utterance]) -> dict[str, Any]:
    """For the notes of a checkpoint: hashes of all files, and the first of those that an enhancer wrote with their number."""
    sources = {
        Path(u.extra["source_filepath"]) for u in utterances if u.extra.get("source_filepath")
    }  # of what tools/pack.py packed
    paths = sorted({u.audio_filepath for u in utterances} | sources)
    enhanced = {
        u.audio_filepath
        for u in utterances
        if u.extra.get("enhanced_by") or enhanced_by(u.audio_filepath.parent) is not None
    }
    return {
        "files": sorted({fingerprint(path) for path in paths if path.is_file()}),
        "enhanced": len(enhanced),
        "enhanced_examples": [path.name for path in sorted(enhanced)[:3]],
    }
