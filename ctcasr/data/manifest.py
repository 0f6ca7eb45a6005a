"""Manifests: one JSON object a line, as NeMo writes them; paths relative to the manifest."""

from __future__ import annotations

import difflib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ctcasr.batch import Skip, Utterance
from ctcasr.data.names import is_unicode, named
from ctcasr.kernels.atomic import write_text

_FIELDS = (
    "audio_filepath",
    "duration",
    "text",
    "offset",
    "speaker",
    "label",
    "fold",
    "video_filepath",
)
_OWN_PATHS = ("audio_filepath", "video_filepath")  # resolved and checked by Utterance
_OF_A_TABLE = "of a table (CSV), `ctcasr prepare csv` makes a manifest"
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_BEGINNING = 4096  # bytes of a file that are looked at to tell what it is


class ManifestError(ValueError):
    """A manifest or a line of it that cannot be read; names file and line."""


@dataclass(frozen=True)
class Manifest:
    """The utterances of one manifest, and the lines that were left out."""

    utterances: tuple[Utterance, ...]
    skipped: tuple[Skip, ...] = ()
    path: Path | None = None

    def __len__(self) -> int:
        return len(self.utterances)

    def __iter__(self) -> Iterator[Utterance]:
        return iter(self.utterances)

    @property
    def seconds(self) -> float:
        """Seconds of audio as the lines say; lines without a duration count nothing."""
        return sum(utterance.duration or 0.0 for utterance in self.utterances)


def read_manifest(path: Path | str, *, strict: bool = True) -> Manifest:
    """The utterances of a manifest; a broken line raises, or becomes a Skip (not strict).

    Every `*_filepath` of a line comes back resolved against the manifest's folder. Utterances have
    names (`id`) that tell them apart.

    Raises:
        ManifestError: names file and line; also where there is no file, or no line.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "train.jsonl"
        >>> write_manifest(path, [{"audio_filepath": str(path.parent / "a.wav"), "text": "hello"}])
        >>> [(utterance.where, utterance.text) for utterance in read_manifest(path)]
        [('train.jsonl:1', 'hello')]
    """
    path = Path(path)
    if not path.is_file():
        there = "a folder" if path.is_dir() else "no file"
        beside = [other.name for other in path.parent.glob("*.jsonl")]
        nearest = difflib.get_close_matches(path.name, beside, n=1)
        hint = f"; did you mean {nearest[0]!r}?" if nearest else ""
        raise ManifestError(f"{path}: expected a manifest (JSON lines); found {there}{hint}")
    utterances: list[Utterance] = []
    skipped: list[Skip] = []
    content = path.read_bytes().removeprefix(_BYTE_ORDER_MARK)
    for number, line in enumerate(content.splitlines(), start=1):
        if not line.strip():
            continue
        where = f"{path.name}:{number}"
        try:
            utterances.append(_utterance(line, path.parent, where))
        except ValueError as error:
            reason = str(error).removeprefix(f"{where}: ")
            if strict:
                is_table = number == 1 and not line.lstrip().startswith(b"{")
                remedy = _OF_A_TABLE if is_table else "correct the line, or take it out"
                raise ManifestError(f"{path}:{number}: {reason}; {remedy}") from error
            skipped.append(Skip(where, reason))
    if not utterances and not skipped:
        raise ManifestError(f"{path}: expected at least one line; the manifest is empty")
    return Manifest(named(utterances), tuple(skipped), path)


def is_manifest(path: Path | str) -> bool:
    """Whether a file is a manifest, by its name (.jsonl) or its content: NeMo's end in .json.

    Example:
        >>> is_manifest("train.jsonl"), is_manifest("nowhere.wav")
        (True, False)
    """
    path = Path(path)
    if path.suffix.lower() == ".jsonl":
        return True
    if not path.is_file():
        return False
    with open(path, "rb") as file:
        beginning = file.read(_BEGINNING)
    return beginning.removeprefix(_BYTE_ORDER_MARK).lstrip().startswith(b"{")


def write_manifest(path: Path | str, lines: Iterable[Utterance | Mapping[str, Any]]) -> None:
    """Write a manifest, whole or not at all.

    Every `*_filepath`, as seen from the working folder, becomes relative to the manifest.

    Raises:
        ValueError: for a line that is no Unicode, as with a file's name in an old encoding.
        OSError: where the system refuses to write.
    """
    path = Path(path)

    @cache  # few folders, many files
    def relative(folder: Path) -> Path:
        return _relative(folder, path.parent)

    content = []
    for line in lines:
        written = json.dumps(_plain(line, relative), ensure_ascii=False)
        if not is_unicode(written):
            raise ValueError(
                f"{path}: expected lines in Unicode; got {written!r}: if it is a file's name, "
                "rename the file"
            )
        content.append(written + "\n")
    write_text(path, "".join(content), shared=True)


def _utterance(raw: bytes, folder: Path, where: str) -> Utterance:
    try:
        line = json.loads(raw.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise ValueError(f"expected UTF-8; {error}") from error
    except json.JSONDecodeError as error:
        raise ValueError(
            f"expected one JSON object; {error.msg} at column {error.colno}"
        ) from error
    except RecursionError as error:
        raise ValueError("expected one JSON object; it is nested too deep") from error
    if isinstance(line, dict):
        for key, value in line.items():
            if _is_path(key, value) and key not in _OWN_PATHS:
                line[key] = str(folder / value)
    return Utterance.from_json(line, folder, where)


def _plain(line: Utterance | Mapping[str, Any], relative: Callable[[Path], Path]) -> dict[str, Any]:
    """What is written of a line."""
    plain = _of_utterance(line) if isinstance(line, Utterance) else dict(line)
    for key, value in plain.items():
        if key.endswith("_filepath") and value:
            file = Path(value)  # its own name stays, even that of a link
            plain[key] = (relative(file.parent) / file.name).as_posix()
    return plain


def _of_utterance(utterance: Utterance) -> dict[str, Any]:
    """The fields that say something, and the keys that were read with the line."""
    plain: dict[str, Any] = {}
    for name in _FIELDS:
        value = getattr(utterance, name)
        if value is None or (name == "offset" and not value):
            continue
        plain[name] = value
    plain.update(utterance.extra)
    return plain


def _is_path(key: str, value: object) -> bool:
    return key.endswith("_filepath") and isinstance(value, str) and bool(value)


def _relative(folder: Path, start: Path) -> Path:
    try:
        return Path(os.path.relpath(folder.resolve(), start.resolve()))
    except ValueError:  # another drive
        return folder.resolve()
