"""One manifest line (`Utterance`) and what one training step sees (`Batch`)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ctcasr.seq import Seq

_KNOWN = (
    "audio_filepath",
    "duration",
    "text",
    "offset",
    "speaker",
    "label",
    "fold",
    "video_filepath",
)


@dataclass(frozen=True)
class Utterance:
    """One line of a manifest: where the sound is, what is said, who says it; checks itself (ValueError names the line)."""

    audio_filepath: Path
    duration: float | None = None  # seconds; None: to the end of the file
    text: str | None = None
    offset: float = 0.0  # seconds into the file
    speaker: str | None = None
    label: str | None = None
    fold: int | None = None
    video_filepath: Path | None = None
    extra: Mapping[str, Any] = field(
        default_factory=dict
    )  # every other key of the line, as it stood there
    where: str = ""  # "manifest.jsonl:17", for messages

    def __post_init__(self) -> None:
        for name, least in (("duration", 0.0), ("offset", 0.0)):
            value = getattr(self, name)
            if value is None and name == "duration":
                continue
            if (
                isinstance(value, bool)
                or not isinstance(value, int | float)
                or not math.isfinite(value)
                or value < least
            ):
                raise ValueError(f"{self._at()}{name}: expected seconds >= 0; got {value!r}")
        for name in ("text", "speaker", "label"):
            value = getattr(self, name)
            if value is not None and not isinstance(value, str):
                raise ValueError(f"{self._at()}{name}: expected a string; got {value!r}")

    @staticmethod
    def from_json(line: Mapping[str, Any], folder: Path, where: str = "") -> Utterance:
        """An utterance from one decoded manifest line; paths are relative to `folder`, the manifest's own."""
        at = f"{where}: " if where else ""
        if not isinstance(line, Mapping):
            raise ValueError(f"{at}expected a JSON object; got {type(line).__name__}")
        path = line.get("audio_filepath")
        if not isinstance(path, str) or not path:
            raise ValueError(f"{at}audio_filepath: expected a path; got {path!r}")
        video = line.get("video_filepath")
        if video is not None and not isinstance(video, str):
            raise ValueError(f"{at}video_filepath: expected a path; got {video!r}")
        speaker, label = (
            str(v) if isinstance(v, int) else v for v in (line.get("speaker"), line.get("label"))
        )
        return Utterance(
            audio_filepath=folder / path,
            duration=line.get("duration"),
            text=line.get("text"),
            offset=line.get("offset") or 0.0,
            speaker=speaker,
            label=label,
            fold=line.get("fold"),
            video_filepath=folder / video if video else None,
            extra={key: value for key, value in line.items() if key not in _KNOWN},
            where=where,
        )

    @property
    def id(self) -> str:
        """A short name: the file's stem, with the offset where there is one."""
        return self.audio_filepath.stem + (f"@{self.offset:g}" if self.offset else "")

    def with_text(self, text: str | None) -> Utterance:
        """The same utterance with another transcript."""
        return replace(self, text=text)

    def _at(self) -> str:
        return f"{self.where}: " if self.where else ""


@dataclass(frozen=True)
class Skip:
    """An utterance that was left out, and why."""

    where: str
    reason: str


@dataclass(frozen=True, eq=False)
class Batch:
    """What one step sees: sound as samples, the tokens to be written, and whatever else the task reads."""

    utterances: tuple[Utterance, ...]
    audio: Seq  # samples [B, N]
    targets: Tensor  # int64 [sum S], concatenated row after row, on the host
    target_lengths: tuple[int, ...]
    skipped: tuple[Skip, ...] = ()  # what should have been here but could not be read
    seeds: tuple[
        int, ...
    ] = ()  # one per utterance, from (seed, epoch, utterance): all randomness of a row
    clean: Seq | None = None  # samples [B, N] of the speech alone, for enhancement
    video: Seq | None = None  # frames [B, T, H, W]
    labels: Tensor | None = None  # int64 [B], for classification

    def __len__(self) -> int:
        return len(self.utterances)

    @property
    def ids(self) -> tuple[str, ...]:
        return tuple(u.id for u in self.utterances)

    def rows(self, indices: Sequence[int]) -> Batch:
        """Only these utterances, padded to the longest of them."""

        def of(items: tuple[Any, ...]) -> tuple[Any, ...]:
            return tuple(items[i] for i in indices) if items else ()

        def some(seq: Seq | None) -> Seq | None:
            return None if seq is None else seq.rows(indices)

        targets = self.targets.split(list(self.target_lengths))
        labels = None if self.labels is None else self.labels[list(indices)]
        return replace(
            self,
            utterances=of(self.utterances),
            audio=self.audio.rows(indices),
            target_lengths=of(self.target_lengths),
            targets=torch.cat([targets[i] for i in indices]) if indices else self.targets[:0],
            seeds=of(self.seeds),
            clean=some(self.clean),
            video=some(self.video),
            labels=labels,
        )

    def to(self, device: torch.device | str) -> Batch:
        """The same with sound, video and labels on `device`; targets stay on the host."""

        def move(seq: Seq | None) -> Seq | None:
            return None if seq is None else seq.to(device)

        labels = None if self.labels is None else self.labels.to(device, non_blocking=True)
        return replace(
            self,
            audio=self.audio.to(device),
            clean=move(self.clean),
            video=move(self.video),
            labels=labels,
        )

    def pin(self) -> Batch:
        """The same in page-locked memory, for copies that do not wait."""

        def pinned(seq: Seq | None) -> Seq | None:
            return None if seq is None else Seq(seq.data.pin_memory(), seq.lengths, seq.rate)

        parts = {"audio": self.audio, "clean": self.clean, "video": self.video}
        return replace(self, **{name: pinned(part) for name, part in parts.items()})  # type: ignore[arg-type]
