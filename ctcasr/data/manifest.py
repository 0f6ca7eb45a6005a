"""Manifests: one JSON object a line, as NeMo writes them; paths relative to the manifest."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from ctcasr.batch import Skip, Utterance

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
        return sum(u.duration or 0.0 for u in self.utterances)


def read_manifest(path: Path | str, *, strict: bool = True) -> Manifest:
    """Read a manifest; a broken line raises ManifestError with file and line, or becomes a Skip (not strict).

    Every `*_filepath` of a line comes back resolved against the manifest's folder.
    """
    path = Path(path)
    if not path.is_file():
        found = "a folder" if path.is_dir() else "no file"
        raise ManifestError(f"{path}: expected a manifest (JSON lines); found {found}")
    utterances: list[Utterance] = []
    skipped: list[Skip] = []
    for number, raw in enumerate(
        path.read_bytes().removeprefix(b"\xef\xbb\xbf").splitlines(), start=1
    ):
        if not raw.strip():
            continue
        where = f"{path.name}:{number}"
        try:
            utterances.append(_utterance(raw, path.parent, where))
        except ValueError as error:
            reason = str(error).removeprefix(f"{where}: ")
            if strict:
                at = path.parent / where
                raise ManifestError(
                    f"{at}: {reason}; correct the line, or skip it by strict=False"
                ) from error
            skipped.append(Skip(where, reason))
    if not utterances and not skipped:
        raise ManifestError(f"{path}: expected at least one line; the manifest is empty")
    return Manifest(tuple(utterances), tuple(skipped), path)


def write_manifest(path: Path | str, lines: Iterable[Utterance | Mapping[str, Any]]) -> None:
    """Write a manifest, whole or not at all; `*_filepath`, as seen from the working folder, become relative to it."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    relative = lru_cache(maxsize=None)(
        partial(_relative, start=path.parent)
    )  # few folders, many files
    text = "".join(json.dumps(_line(line, relative), ensure_ascii=False) + "\n" for line in lines)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with temporary.open("w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _utterance(raw: bytes, folder: Path, where: str) -> Utterance:
    try:
        line = json.loads(raw.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise ValueError(f"expected UTF-8; {error}") from error
    except json.JSONDecodeError as error:
        raise ValueError(
            f"expected one JSON object; {error.msg} at column {error.colno}"
        ) from error
    if isinstance(line, dict):
        own = ("audio_filepath", "video_filepath")  # resolved and checked by Utterance
        for key, value in list(line.items()):
            if key.endswith("_filepath") and key not in own and isinstance(value, str) and value:
                line[key] = str(folder / value)
    return Utterance.from_json(line, folder, where)


def _line(line: Utterance | Mapping[str, Any], relative: Callable[[Path], Path]) -> dict[str, Any]:
    if isinstance(line, Utterance):
        known = {name: getattr(line, name) for name in _FIELDS}
        known["offset"] = line.offset or None
        line = {**{name: value for name, value in known.items() if value is not None}, **line.extra}
    files = {key: Path(value) for key, value in line.items() if key.endswith("_filepath") and value}
    # a file's own name stays, even that of a link
    return {
        **line,
        **{key: (relative(file.parent) / file.name).as_posix() for key, file in files.items()},
    }


def _relative(folder: Path, start: Path) -> Path:
    try:
        return Path(os.path.relpath(folder.resolve(), start.resolve()))
    except ValueError:  # another drive
        return folder.resolve()
