"""Corpora for enhancement: scenes mixed while training, or read as they lie."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import torch
from torch import Tensor

from ctcasr.batch import Skip, Utterance
from ctcasr.data.audio import AudioError, read_audio
from ctcasr.data.clip import fit_length
from ctcasr.data.corpus import Corpus, Encoder, Item
from ctcasr.data.mixing import Mixture, mix

T = TypeVar("T")
Frames = Callable[[Utterance], Tensor]  # [T, H, W] at VIDEO_HZ, [0, H, W] where there is none

_OWN_DRAW = (
    0x9E3779B97F4A7C15 >> 1
)  # keeps what is drawn here apart from what masks or transforms draw
_TRIES = 20  # places that are drawn until the interferer sounds there


@dataclass(frozen=True)
class Interferers:
    """What may be heard beside the speech: utterances by class, and the SNR between which one is drawn, in dB."""

    kind: str  # "noise" or "talker"
    classes: Mapping[str, Sequence[Utterance]]  # a class is drawn first, then one of its recordings
    low_db: float
    high_db: float

    @staticmethod
    def noises(
        utterances: Sequence[Utterance], low_db: float = -10.0, high_db: float = 10.0
    ) -> Interferers:
        """Noises by their labels."""
        return Interferers("noise", _grouped(utterances, "label"), low_db, high_db)

    @staticmethod
    def talkers(
        utterances: Sequence[Utterance], low_db: float = -15.0, high_db: float = 5.0
    ) -> Interferers:
        """Competing talkers by their names."""
        return Interferers("talker", _grouped(utterances, "speaker"), low_db, high_db)


class MixtureCorpus(Corpus):
    """Speech in which an interferer is mixed anew in each epoch; all that is drawn depends on seed, epoch and index alone.

    The kind is drawn first, then the class, the recording, the place in it and the SNR. A share `room_share` is heard in one of `rooms`.
    The speech is played at one of `speeds` as `Corpus` does; `frames(utterance)` gives its video, for a speed of 1 only.
    """

    def __init__(
        self,
        utterances: Sequence[Utterance],
        tokenizer: Encoder | None,
        rate_hz: int,
        interferers: Sequence[Interferers],
        rooms: Sequence[Tensor] = (),
        room_share: float = 0.5,
        frames: Frames | None = None,
        speeds: Sequence[float] = (1.0,),
    ) -> None:
        super().__init__(utterances, tokenizer, rate_hz, speeds=speeds)
        if frames is not None and set(self.speeds) != {1.0}:
            raise ValueError(
                f"speeds: expected none but 1 where there is video, which would not keep up; got {self.speeds}"
            )
        if not interferers or not all(kind.classes for kind in interferers):
            raise ValueError(
                "expected at least one kind of interferer with one recording; got none"
            )
        if not 0 <= room_share <= 1:
            raise ValueError(f"room_share: expected within 0..1; got {room_share}")
        self.interferers, self.rooms, self.room_share, self.frames = (
            tuple(interferers),
            tuple(rooms),
            room_share,
            frames,
        )

    def item(self, index: int, *, seed: int = 0, epoch: int = 0) -> Item | Skip:
        """Utterance `index` with an interferer: `samples` are noisy, `clean` is the speech."""
        item = super().item(index, seed=seed, epoch=epoch)
        if isinstance(item, Skip):
            return item
        try:
            mixture = self._mixture(
                item.samples, torch.Generator().manual_seed(item.seed ^ _OWN_DRAW)
            )
        except ValueError as error:  # AudioError too
            return Skip(item.utterance.where or item.utterance.id, str(error))
        return seen(replace(item, samples=mixture.noisy, clean=mixture.clean), self.frames)

    def _mixture(self, speech: Tensor, draw: torch.Generator) -> Mixture:
        kind = _one_of(self.interferers, draw)
        source = self._recording(_one_of(kind.classes[_one_of(sorted(kind.classes), draw)], draw))
        for _ in range(_TRIES):
            start = int(
                torch.randint(max(1, source.shape[0] - speech.shape[0] + 1), (), generator=draw)
            )
            # A recording that is too short begins anew; one that is long enough is cut at the place drawn.
            other = fit_length(source, speech.shape[0], "loop", start)
            if bool(other.any()):  # a bark with seconds of digital silence behind it
                break
        snr_db = kind.low_db + (kind.high_db - kind.low_db) * float(torch.rand((), generator=draw))
        in_room = bool(self.rooms) and float(torch.rand((), generator=draw)) < self.room_share
        return mix(
            speech,
            other,
            snr_db,
            rir=_one_of(self.rooms, draw) if in_room else None,
            rate_hz=self.rate_hz,
        )

    def _recording(self, utterance: Utterance) -> Tensor:
        key = (str(utterance.audio_filepath), utterance.offset)
        samples = self.cache.get(key)
        if samples is None:
            samples = read_audio(utterance, self.rate_hz)
            self.cache.put(key, samples)  # few and short: every process may keep its own
        return samples


class SceneCorpus(Corpus):
    """Scenes that lie on disk: `audio_filepath` is noisy, `target_filepath` is the speech in it, as long and at the same place."""

    def __init__(
        self,
        utterances: Sequence[Utterance],
        tokenizer: Encoder | None,
        rate_hz: int,
        frames: Frames | None = None,
    ) -> None:
        super().__init__(utterances, tokenizer, rate_hz)
        self.frames = frames

    def item(self, index: int, *, seed: int = 0, epoch: int = 0) -> Item | Skip:
        """Scene `index`; a Skip where its target is missing or of another length (more than 10 ms)."""
        item = super().item(index, seed=seed, epoch=epoch)
        if isinstance(item, Skip):
            return item
        where = item.utterance.where or item.utterance.id
        target = item.utterance.extra.get("target_filepath")
        if not isinstance(target, str):
            return Skip(
                where, "expected target_filepath, the speech of the scene; the line has none"
            )
        try:
            clean = read_audio(
                replace(item.utterance, audio_filepath=type(item.utterance.audio_filepath)(target)),
                self.rate_hz,
            )
        except AudioError as error:
            return Skip(where, str(error))
        apart = abs(clean.shape[0] - item.samples.shape[0])
        if apart > 0.01 * self.rate_hz:
            return Skip(
                where, f"expected a target as long as the scene; they are {apart} samples apart"
            )
        count = min(clean.shape[0], item.samples.shape[0])
        return seen(replace(item, samples=item.samples[:count], clean=clean[:count]), self.frames)


def seen(item: Item, frames: Frames | None) -> Item:
    """The item with its video."""
    return item if frames is None else replace(item, video=frames(item.utterance))


def _grouped(utterances: Sequence[Utterance], by: str) -> dict[str, list[Utterance]]:
    groups: dict[str, list[Utterance]] = {}
    for utterance in utterances:
        groups.setdefault(getattr(utterance, by) or utterance.id, []).append(utterance)
    return groups


def _one_of(options: Sequence[T], draw: torch.Generator) -> T:
    return options[int(torch.randint(len(options), (), generator=draw))]
