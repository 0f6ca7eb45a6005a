"""What a model was trained on, so that a later comparison can tell.

Short hashes of its recordings, and enhanced ones among them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TypedDict

from ctcasr.batch import Utterance
from ctcasr.data.sidecar import enhanced_by

_END_BYTES = 1 << 16  # that are read at either end of a file
_DIGITS = 16
# Of a line: the recording that was packed, and what a scene is made of; recordings before mixing.
_MADE_OF = ("source_filepath", "target_filepath", "interferer_filepath")
_MARKS = ("speech_fingerprint", "interferer_fingerprint")
_EXAMPLES = 3


class Provenance(TypedDict):
    """For the notes of a checkpoint."""

    files: list[str]  # hashes of all files, sorted
    enhanced: int  # how many of them an enhancer wrote
    enhanced_examples: list[str]  # names of the first of those


def fingerprint(path: Path | str) -> str:
    """16 hex digits of a file's length, beginning and end (64 KiB each): cheap for any corpus.

    Raises:
        FileNotFoundError: where there is no such file.
    """
    path = Path(path)
    size = path.stat().st_size
    content = hashlib.sha1(str(size).encode(), usedforsecurity=False)
    with path.open("rb") as file:
        content.update(file.read(_END_BYTES))
        if size > _END_BYTES:
            file.seek(max(_END_BYTES, size - _END_BYTES))
            content.update(file.read(_END_BYTES))
    return content.hexdigest()[:_DIGITS]


def fingerprint_if_there(path: Path) -> str | None:
    """As `fingerprint`; None for what is no file (a link to nowhere, a folder), or unreadable."""
    try:
        if not path.is_file():  # before it is opened: a pipe would be waited for
            return None
        return fingerprint(path)
    except OSError:
        return None


def provenance_of(utterances: Sequence[Utterance]) -> Provenance:
    """Hashes of all files of the utterances, and which of them an enhancer wrote.

    Of scenes those of the speech and of what is heard beside it too, before and after mixing.
    """
    paths: set[Path] = set()
    marks: set[str] = set()
    enhanced: set[Path] = set()
    for utterance in utterances:
        paths.add(utterance.audio_filepath)
        paths.update(Path(path) for path in _told(utterance, _MADE_OF))
        marks.update(_told(utterance, _MARKS))
        if _is_enhanced(utterance):
            enhanced.add(utterance.audio_filepath)
    marks.update(filter(None, map(fingerprint_if_there, paths)))
    return {
        "files": sorted(marks),
        "enhanced": len(enhanced),
        "enhanced_examples": [path.name for path in sorted(enhanced)[:_EXAMPLES]],
    }


def _told(utterance: Utterance, keys: Sequence[str]) -> list[str]:
    """The texts that a line has for some keys."""
    values = [utterance.extra.get(key) for key in keys]
    return [value for value in values if isinstance(value, str) and value]


def _is_enhanced(utterance: Utterance) -> bool:
    if utterance.extra.get("enhanced_by"):
        return True
    return enhanced_by(utterance.audio_filepath) is not None
