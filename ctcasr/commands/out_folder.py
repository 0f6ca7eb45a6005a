"""The folder that a command writes to: made and tried before hours of work, and nobody else's."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable
from pathlib import Path

SCORES = "scores.json"
# A key that only this command's scores have; those of `evaluate` have none of these.
_MARKS = {"compare": "sensitivity", "score-enhanced": "rows"}


def prepare_out(
    out: Path, written: Iterable[str], inputs: Iterable[str | Path], command: str = ""
) -> None:
    """Make the folder; `written` are the names of files that `command` will write into it.

    Raises:
        ValueError: where one of the inputs would be written over, or another command's scores.
        OSError: where nothing can be written.
    """
    if out.exists() and not out.is_dir():
        raise ValueError(f"{out}: expected a folder as --out; a file lies there")
    places = {(out / name).resolve() for name in written}
    for path in inputs:
        if Path(path).resolve() in places:
            raise ValueError(f"{path}: would be written over; give another folder as --out")
    if command:
        other = scored_by(out / SCORES)
        if other not in ("", command):
            raise ValueError(
                f"{out / SCORES}: holds what ctcasr {other} has scored; give another folder as "
                f"--out"
            )
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=out):
        pass


def scored_by(scores: Path) -> str:
    """The command that wrote a scores.json; "" where there is none that can be read."""
    try:
        found = json.loads(scores.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return ""
    if not isinstance(found, dict):
        return ""
    for command, mark in _MARKS.items():
        if mark in found:
            return command
    return "evaluate"
