"""Whether two checkpoints are of the same network: compared by content, never by shapes alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ctcasr import checkpoint
from ctcasr.text import tokenizer_from_state

_NOT_COMPARED = frozenset({"network", "notes", "format", "training", "strict"})
_LETTERS = 60  # of a value that a message shows


def differences(saved: Mapping[str, Any], own: Mapping[str, Any], where: str = "") -> list[str]:
    """What two payloads say differently about network, symbols, classes and front-end.

    Only what both have is compared: a newer version may say more. Weights and notes are not.

    Example:
        >>> differences({"classes": ["yes", "no"]}, {"classes": ["left", "right"]})
        ["classes: ['yes', 'no'] there, ['left', 'right'] here"]
    """
    lines: list[str] = []
    for name, value in saved.items():
        if name in _NOT_COMPARED or name not in own:
            continue
        there, here = _plain(value), _plain(own[name])
        if isinstance(there, dict) and isinstance(here, dict):
            lines += differences(there, here, f"{where}{name}.")
        elif there != here:
            lines.append(f"{where}{name}: {_shown(there)} there, {_shown(here)} here")
    return lines


def refuse_another_network(saved: Mapping[str, Any], own: Mapping[str, Any], path: Path) -> None:
    """Refuse to go on with a checkpoint whose weights mean something else.

    Raises:
        CheckpointError: with what differs.
    """
    lines = differences(saved, own)
    if lines:
        raise checkpoint.CheckpointError(
            f"{path}: the run in this folder is of another network: {'; '.join(lines)}. Resume it "
            "with its own settings, or begin anew in another folder (--init loads what means the "
            "same)"
        )


def symbols_of(payload: Mapping[str, Any]) -> list[str]:
    """What the rows of the output layer stand for: symbols or classes; empty where nothing says."""
    if "classes" in payload:
        return [str(name) for name in payload["classes"]]
    if "tokenizer" in payload:
        tokenizer = tokenizer_from_state(payload["tokenizer"])
        return [tokenizer.symbol(index) for index in range(tokenizer.size)]
    return []


def _plain(value: Any) -> Any:
    """Tuples as lists, so that what was saved equals what was not."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [_plain(item) for item in value]
    return value


def _shown(value: Any) -> str:
    """A value for a message; of a sentencepiece model only its size."""
    if isinstance(value, bytes):
        return f"{len(value)} bytes"
    text = repr(value)
    return text if len(text) <= _LETTERS else text[:_LETTERS] + "..."
