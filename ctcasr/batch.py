"""One manifest line (`Utterance`) and what one training step sees (`Batch`)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor

from ctcasr.seq import Seq, to_device

Item = TypeVar("Item")

_MOST_SECONDS = 1e9  # 31 years; an integer may be larger than any float
_SHOWN = 80  # characters of a wrong value

_KNOWN_KEYS = (
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
    """One line of a manifest: where the sound is, what is said, who says it.

    Raises:
        ValueError: that names the line, for impossible seconds and for words that are no strings.

    Example:
        >>> line = {"audio_filepath": "wav/s1.wav", "text": "place red", "take": 2}
        >>> utterance = Utterance.from_json(line, Path("corpus"), "train.jsonl:1")
        >>> utterance.id, utterance.text, utterance.extra
        ('s1', 'place red', {'take': 2})
    """

    audio_filepath: Path
    duration: float | None = None  # seconds; None: to the end of the file
    text: str | None = None
    offset: float = 0.0  # seconds into the file
    speaker: str | None = None
    label: str | None = None
    fold: int | None = None
    video_filepath: Path | None = None
    # Every other key of the line, as it stood there.
    extra: Mapping[str, Any] = field(default_factory=dict)
    where: str = ""  # "manifest.jsonl:17", for messages
    name: str = ""  # tells it from the others of its manifest ("s1/002"); empty: its file does
    made: bool = False  # of no recording as it stands: said by a synthesiser, or spliced

    def __post_init__(self) -> None:
        self._check_seconds("offset", self.offset)
        if self.duration is not None:
            self._check_seconds("duration", self.duration)
        words = {"text": self.text, "speaker": self.speaker, "label": self.label}
        for name, value in words.items():
            if value is not None and not isinstance(value, str):
                raise ValueError(f"{self._prefix}{name}: expected a string; got {value!r}")

    def _check_seconds(self, name: str, value: object) -> None:
        """ValueError for what is no number of seconds; manifests are written by many hands."""
        if isinstance(value, bool) or not isinstance(value, int | float):
            usable = False
        else:
            usable = 0 <= value <= _MOST_SECONDS  # of NaN neither is true
        if not usable:
            got = repr(value)[:_SHOWN]
            raise ValueError(f"{self._prefix}{name}: expected seconds >= 0; got {got}")

    @staticmethod
    def from_json(line: Mapping[str, Any], folder: Path, where: str = "") -> Utterance:
        """An utterance from one decoded manifest line; paths are relative to `folder`.

        Raises:
            ValueError: that names the line (`where`), for a value that cannot be used.
        """
        prefix = _prefix(where)
        if not isinstance(line, Mapping):
            raise ValueError(f"{prefix}expected a JSON object; got {type(line).__name__}")
        audio = line.get("audio_filepath")
        if not isinstance(audio, str) or not audio:
            raise ValueError(f"{prefix}audio_filepath: expected a path; got {audio!r}")
        video = line.get("video_filepath")
        if video is not None and not isinstance(video, str):
            raise ValueError(f"{prefix}video_filepath: expected a path; got {video!r}")
        return Utterance(
            audio_filepath=folder / audio,
            duration=line.get("duration"),
            text=line.get("text"),
            offset=line.get("offset") or 0.0,
            speaker=_name(line.get("speaker")),
            label=_name(line.get("label")),
            fold=line.get("fold"),
            video_filepath=folder / video if video else None,
            extra={key: value for key, value in line.items() if key not in _KNOWN_KEYS},
            where=where,
        )

    @property
    def id(self) -> str:
        """A short name: the file's stem, with the offset where there is one, or `name`."""
        if self.name:
            return self.name
        stem = self.audio_filepath.stem
        return f"{stem}@{self.offset:g}" if self.offset else stem

    @property
    def file_name(self) -> str:
        """The name as a part of file names: of two utterances that `name` tells apart, two."""
        return re.sub(r'[/\\:*?"<>|]', "-", self.id)

    @property
    def full_name(self) -> str:
        """Line and name, for lists of utterances: "train.jsonl:17 (s1/002)"."""
        return f"{self.where} ({self.id})" if self.where else self.id

    def with_text(self, text: str | None) -> Utterance:
        """The same utterance with another transcript."""
        return replace(self, text=text)

    @property
    def _prefix(self) -> str:
        return _prefix(self.where)


def _prefix(where: str) -> str:
    """How a message about a manifest line begins."""
    return f"{where}: " if where else ""


def _name(value: Any) -> Any:
    """A speaker or label as text: whole numbers are names too, and an empty one is none.

    Anything else is refused later.
    """
    if value == "":
        return None
    return str(value) if isinstance(value, int) else value


@dataclass(frozen=True)
class Skip:
    """An utterance that was left out, and why."""

    where: str
    reason: str
    text_uncovered: bool = False  # the file is well: nothing of its text is in the alphabet


@dataclass(frozen=True, eq=False)
class Batch:
    """What one step sees: sound as samples, the tokens to be written, whatever else a task reads.

    Example:
        >>> audio = Seq.stack([torch.zeros(160), torch.zeros(80)], rate=16000)
        >>> names = (Utterance(Path("a.wav")), Utterance(Path("b.wav")))
        >>> batch = Batch(names, audio, torch.tensor([5, 6, 7]), target_lengths=(1, 2))
        >>> second = batch.rows([1])
        >>> second.ids, second.targets.tolist(), second.audio.lengths
        (('b',), [6, 7], (80,))
    """

    utterances: tuple[Utterance, ...]
    audio: Seq  # samples [B, N]; for a lip reader frames [B, T, H, W]
    targets: Tensor  # int64 [sum S], concatenated row after row, on the host
    target_lengths: tuple[int, ...]
    skipped: tuple[Skip, ...] = ()  # what should have been here but could not be read
    # One per utterance, from (seed, epoch, utterance): all randomness of a row.
    seeds: tuple[int, ...] = ()
    clean: Seq | None = None  # samples [B, N] of the speech alone, for enhancement
    video: Seq | None = None  # frames [B, T, H, W]
    labels: Tensor | None = None  # int64 [B], for classification
    # int64 [B, T]: what an aligner hears in each of its frames, or a negative number.
    states: Seq | None = None
    silent: tuple[bool, ...] = ()  # rows whose clean speech holds nothing; none: not known

    def __len__(self) -> int:
        return len(self.utterances)

    @property
    def ids(self) -> tuple[str, ...]:
        """The utterances' short names."""
        return tuple(utterance.id for utterance in self.utterances)

    def rows(self, indices: Sequence[int]) -> Batch:
        """Only these utterances, padded to the longest of them."""
        target_rows = torch.split(self.targets, list(self.target_lengths))
        targets = self.targets[:0]
        if indices:
            targets = torch.cat([target_rows[index] for index in indices])
        labels = self.labels
        if labels is not None:
            labels = labels[list(indices)]
        return replace(
            self,
            utterances=_chosen(self.utterances, indices),
            audio=self.audio.rows(indices),
            target_lengths=_chosen(self.target_lengths, indices),
            targets=targets,
            seeds=_chosen(self.seeds, indices),
            clean=_changed(self.clean, lambda seq: seq.rows(indices)),
            video=_changed(self.video, lambda seq: seq.rows(indices)),
            labels=labels,
            states=_changed(self.states, lambda seq: seq.rows(indices)),
            silent=_chosen(self.silent, indices),
        )

    def to(self, device: torch.device | str) -> Batch:
        """The same with sound, video and labels on `device`; targets stay on the host."""
        labels = self.labels
        if labels is not None:
            labels = to_device(labels, device)
        return replace(
            self,
            audio=self.audio.to(device),
            clean=_changed(self.clean, lambda seq: seq.to(device)),
            video=_changed(self.video, lambda seq: seq.to(device)),
            labels=labels,
            states=_changed(self.states, lambda seq: seq.to(device)),
        )

    def pin(self) -> Batch:
        """The same in page-locked memory, for copies that do not wait."""
        return replace(
            self,
            audio=self.audio.pin(),
            clean=_changed(self.clean, Seq.pin),
            video=_changed(self.video, Seq.pin),
            states=_changed(self.states, Seq.pin),
        )


def _chosen(items: tuple[Item, ...], indices: Sequence[int]) -> tuple[Item, ...]:
    """The items at some indices; none of none."""
    if not items:
        return ()
    return tuple(items[index] for index in indices)


def _changed(seq: Seq | None, change: Callable[[Seq], Seq]) -> Seq | None:
    """What `change` makes of a sequence; None where there is none (one of no rows is one)."""
    if seq is None:
        return None
    return change(seq)
