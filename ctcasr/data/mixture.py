"""Corpora for enhancement: scenes mixed while training, or read as they lie."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor

from ctcasr.batch import Skip, Utterance
from ctcasr.data.audio import AudioError, read_audio
from ctcasr.data.clip import fit_length
from ctcasr.data.corpus import Corpus, Encoder, Item
from ctcasr.data.mixing import Mixture, mix
from ctcasr.data.names import where_of

T = TypeVar("T")
# [T, H, W] at VIDEO_HZ of an utterance, or [T, F] of what was seen; none are [0, ...]. The seed
# is of all that is random about it.
Frames = Callable[[Utterance, int], Tensor]

# Keeps what is drawn here apart from what masks or transforms draw (2^64 by the golden ratio).
_OWN_DRAW = 0x9E3779B97F4A7C15 >> 1
_TRIES = 20  # places that are drawn until the interferer sounds there
_MOST_APART_S = 0.01  # lengths of a scene and its target


@dataclass(frozen=True)
class Interferers:
    """What may sound beside the speech: utterances by class, and the SNR in dB that is drawn."""

    kind: str  # "noise", "talker" or "own"
    classes: Mapping[str, Sequence[Utterance]]  # a class is drawn first, then one of its recordings
    low_db: float
    high_db: float

    @staticmethod
    def noises(
        utterances: Sequence[Utterance], low_db: float = -10.0, high_db: float = 10.0
    ) -> Interferers:
        """Noises by their labels."""
        labels = [class_of(utterance) for utterance in utterances]
        return Interferers("noise", _grouped(utterances, labels), low_db, high_db)

    @staticmethod
    def talkers(
        utterances: Sequence[Utterance], low_db: float = -15.0, high_db: float = 5.0
    ) -> Interferers:
        """Competing talkers by their names."""
        speakers = [utterance.speaker or utterance.id for utterance in utterances]
        return Interferers("talker", _grouped(utterances, speakers), low_db, high_db)

    @staticmethod
    def own(
        utterances: Sequence[Utterance], low_db: float = -15.0, high_db: float = 5.0
    ) -> Interferers:
        """The talker's own voice with another sentence."""
        talkers = Interferers.talkers(utterances, low_db, high_db)
        return replace(talkers, kind="own")

    def classes_beside(self, utterance: Utterance) -> list[str]:
        """The classes that may sound beside an utterance; ValueError for none."""
        classes = sorted(self.classes)
        if self.kind == "own":
            classes = [name for name in classes if name == utterance.speaker]
        if not classes:
            raise ValueError(
                f"expected another sentence of {utterance.speaker}, to be heard beside the "
                "talker; there is none"
            )
        return classes

    def beside(self, utterance: Utterance, class_name: str) -> list[Utterance]:
        """The recordings of a class but the utterance itself; ValueError for none."""
        others = []
        for recording in self.classes[class_name]:
            same_file = recording.audio_filepath == utterance.audio_filepath
            if not (same_file and recording.offset == utterance.offset):
                others.append(recording)
        if not others:
            raise ValueError(f"expected a recording of {class_name} other than the speech itself")
        return others


class MixtureCorpus(Corpus):
    """Speech in which an interferer is mixed anew in each epoch.

    All that is drawn depends on seed, epoch and index alone: the kind first, then the class, the
    recording, the place in it and the SNR. A share `room_share` sounds in one of `rooms`. The
    speech is played at one of `speeds` as `Corpus` does; `frames(utterance, seed)` gives its video,
    for a speed of 1 only. No utterance is heard beside itself.

    Raises:
        ValueError: for no interferers, a share outside 0..1, or speeds beside video.
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
                "speeds: expected none but 1 where there is video, which would not keep up; "
                f"got {self.speeds}"
            )
        if not interferers or not all(kind.classes for kind in interferers):
            raise ValueError(
                "expected at least one kind of interferer with one recording; got none"
            )
        if not 0 <= room_share <= 1:
            raise ValueError(f"room_share: expected within 0..1; got {room_share}")
        self.interferers = tuple(interferers)
        self.rooms = tuple(rooms)
        self.room_share = room_share
        self.frames = frames
        self.speech: Corpus | None = None  # that is mixed into; None: the utterances as they are

    @staticmethod
    def over(speech: Corpus, interferers: Sequence[Interferers]) -> MixtureCorpus:
        """Mixtures of what another corpus gives: spliced sentences, and states that it tells."""
        mixture = MixtureCorpus(
            speech.utterances,
            speech.tokenizer,
            speech.rate_hz,
            interferers,
            speeds=speech.speeds,
        )
        mixture.speech = speech
        mixture.states = speech.states
        return mixture

    def state_dict(self) -> dict[str, Any]:
        """That of the speech."""
        return {} if self.speech is None else self.speech.state_dict()

    def item(self, index: int, *, seed: int = 0, epoch: int = 0) -> Item | Skip:
        """Utterance `index` with an interferer: `samples` are noisy, `clean` is the speech."""
        if self.speech is None:
            item = super().item(index, seed=seed, epoch=epoch)
        else:
            item = self.speech.item(index, seed=seed, epoch=epoch)
        if isinstance(item, Skip):
            return item
        draw = torch.Generator().manual_seed(item.seed ^ _OWN_DRAW)
        try:
            mixture = self._mixture(item, draw)
        except ValueError as error:  # AudioError too
            return Skip(where_of(item.utterance), str(error))
        return seen(replace(item, samples=mixture.noisy, clean=mixture.clean), self.frames)

    def _mixture(self, item: Item, draw: torch.Generator) -> Mixture:
        speech = item.samples
        kind = _one_of(self.interferers, draw)
        class_name = _one_of(kind.classes_beside(item.utterance), draw)
        source = self._recording(_one_of(kind.beside(item.utterance, class_name), draw))
        interferer = _sounding_part(source, speech.shape[0], draw)
        snr_db = kind.low_db + (kind.high_db - kind.low_db) * _uniform(draw)
        rir = None
        if self.rooms and _uniform(draw) < self.room_share:
            rir = _one_of(self.rooms, draw)
        return mix(speech, interferer, snr_db, rir=rir, rate_hz=self.rate_hz)

    def _recording(self, utterance: Utterance) -> Tensor:
        key = (str(utterance.audio_filepath), utterance.offset)
        samples = self.cache.get(key)
        if samples is None:
            samples = read_audio(utterance, self.rate_hz)
            self.cache.put(key, samples)  # few and short: every process may keep its own
        return samples


class SceneCorpus(Corpus):
    """Scenes that lie on disk: `audio_filepath` is noisy, `target_filepath` is the speech in it.

    The target is as long as the scene, and the speech is at the same place.
    """

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
        """Scene `index`; a Skip where its target is missing or its length 10 ms apart."""
        item = super().item(index, seed=seed, epoch=epoch)
        if isinstance(item, Skip):
            return item
        try:
            clean = self._target(item.utterance)
        except AudioError as error:
            return Skip(where_of(item.utterance), str(error))
        apart = abs(clean.shape[0] - item.samples.shape[0])
        if apart > _MOST_APART_S * self.rate_hz:
            return Skip(
                where_of(item.utterance),
                f"expected a target as long as the scene; they are {apart} samples apart",
            )
        count = min(clean.shape[0], item.samples.shape[0])
        scene = replace(item, samples=item.samples[:count], clean=clean[:count])
        return seen(scene, self.frames)

    def _target(self, utterance: Utterance) -> Tensor:
        target = utterance.extra.get("target_filepath")
        if not isinstance(target, str):
            raise AudioError("expected target_filepath, the speech of the scene; the line has none")
        return read_audio(replace(utterance, audio_filepath=Path(target)), self.rate_hz)


def are_scenes(lines: Sequence[Utterance]) -> bool:
    """Whether lines are scenes, which name their target, or speech, of which none does.

    Raises:
        ValueError: where some do; names the first that does not.

    Example:
        >>> are_scenes([Utterance(Path("noisy.wav"), extra={"target_filepath": "clean.wav"})])
        True
    """
    speech = [line for line in lines if "target_filepath" not in line.extra]
    if speech and len(speech) < len(lines):
        raise ValueError(
            f"{where_of(speech[0])}: expected target_filepath, as {len(lines) - len(speech)} of "
            f"the {len(lines)} lines have it: give scenes, or clean speech alone"
        )
    return not speech


def class_of(noise: Utterance) -> str:
    """The class of a noise: its label, or its own name."""
    return noise.label or noise.id


def without_classes(noises: Sequence[Utterance], names: str, flag: str) -> list[Utterance]:
    """Noises of other classes than those that are named with commas between, spaces aside.

    Raises:
        ValueError: that names the flag, for a class of which there is no noise: it is misspelt.

    Example:
        >>> noises = [Utterance(Path("1.wav"), label=label) for label in ("rain", "wind", "dog")]
        >>> [noise.label for noise in without_classes(noises, "rain, wind", "--unseen")]
        ['dog']
    """
    left_out = [name.strip() for name in names.split(",") if name.strip()]
    classes = sorted({class_of(noise) for noise in noises})
    unknown = [repr(name) for name in left_out if name not in classes]
    if unknown:
        raise ValueError(
            f"{flag}: expected classes of noise that occur ({', '.join(classes) or 'there is none'}"
            f"); there is none of {', '.join(unknown)}"
        )
    return [noise for noise in noises if class_of(noise) not in left_out]


def seen(item: Item, frames: Frames | None) -> Item:
    """The item with its video."""
    if frames is None:
        return item
    return replace(item, video=frames(item.utterance, item.seed))


def _sounding_part(source: Tensor, length: int, draw: torch.Generator) -> Tensor:
    """Samples [length] of a recording, from a place that is drawn until something sounds there.

    A recording that is too short begins anew; one that is long enough is cut.
    """
    for _ in range(_TRIES):
        places = max(1, source.shape[0] - length + 1)
        start = _index(places, draw)
        part = fit_length(source, length, "loop", start)
        if bool(part.any()):  # a bark with seconds of digital silence behind it
            break
    return part


def _grouped(utterances: Sequence[Utterance], names: Sequence[str]) -> dict[str, list[Utterance]]:
    groups: dict[str, list[Utterance]] = {}
    for name, utterance in zip(names, utterances, strict=True):
        groups.setdefault(name, []).append(utterance)
    return groups


def _one_of(options: Sequence[T], draw: torch.Generator) -> T:
    return options[_index(len(options), draw)]


def _index(count: int, draw: torch.Generator) -> int:
    return int(torch.randint(count, (), generator=draw))


def _uniform(draw: torch.Generator) -> float:
    return float(torch.rand((), generator=draw))
