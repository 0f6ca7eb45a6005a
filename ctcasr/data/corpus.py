"""A corpus: utterances as samples and tokens, one by one and collated to batches."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import pairwise
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import get_worker_info

from ctcasr.batch import Batch, Skip, Utterance
from ctcasr.data.audio import AudioError, audio_info, played_faster, read_audio
from ctcasr.data.cache import SampleCache
from ctcasr.data.names import where_of
from ctcasr.seq import Seq

VIDEO_HZ = 25  # whoever reads frames brings them to this rate
STATES_HZ = 100  # frames of an aligner
SLOWEST = 0.5
FASTEST = 2.0
Transform = Callable[[Tensor, torch.Generator, Utterance], Tensor]
Read = Callable[[Utterance, float], Tensor]  # what is read of it [T, ...], at a speed


class Encoder(Protocol):
    """What a corpus needs of a tokenizer."""

    def encode(self, text: str) -> list[int]: ...


@dataclass(frozen=True)
class Item:
    """One utterance as samples [N] and the tokens of its text; `seed` keys all that is random.

    For a lip reader the samples are frames [T, H, W].
    """

    utterance: Utterance
    samples: Tensor
    tokens: list[int]
    seed: int = 0
    label: int | None = None  # number of its class
    clean: Tensor | None = None  # samples [N] of the speech alone
    video: Tensor | None = None  # frames [T, H, W] at VIDEO_HZ
    states: Tensor | None = None  # int64 [T] at STATES_HZ: what an aligner hears, or negative


class Corpus:
    """Utterances that are read when they are asked for; picklable, for worker processes.

    `transform(samples [N], generator, utterance)` changes the samples; its generator depends on
    seed, epoch and index alone. With `speeds`, one of them is drawn each time and the recording
    played that much faster (Ko et al. 2015), pitch included. `read(utterance, speed)` gives what is
    read instead of sound, at `rate_hz` (a ValueError of it is a reason to skip). Without a
    tokenizer the tokens are empty. With `labels` (number of each class), utterances of other
    classes are skipped. Decoded samples stay in memory up to `cache_bytes`.

    Raises:
        ValueError: for a rate below 1, or speeds outside 0.5..2.
    """

    states = 0  # of an aligner, which of them items tell; 0: items tell none

    def __init__(
        self,
        utterances: Sequence[Utterance],
        tokenizer: Encoder | None,
        rate_hz: int,
        transform: Transform | None = None,
        speeds: Sequence[float] = (1.0,),
        cache_bytes: int = 1 << 30,
        labels: Mapping[str, int] | None = None,
        read: Read | None = None,
    ) -> None:
        if rate_hz < 1:
            raise ValueError(f"rate_hz: expected a rate above 0; got {rate_hz}")
        if not speeds or not all(SLOWEST <= speed <= FASTEST for speed in speeds):
            raise ValueError(
                f"speeds: expected factors within {SLOWEST}..{FASTEST}, at least one; "
                f"got {speeds!r}"
            )
        self.utterances = tuple(utterances)
        self.tokenizer = tokenizer
        self.rate_hz = rate_hz
        self.transform = transform
        self.read = read
        self.labels = labels
        self.speeds = tuple(speeds)
        self.cache = SampleCache(cache_bytes)

    def __len__(self) -> int:
        return len(self.utterances)

    def __getitem__(self, index: int) -> Item | Skip:
        return self.item(index)

    def item(self, index: int, *, seed: int = 0, epoch: int = 0) -> Item | Skip:
        """Utterance `index` as `epoch` sees it; a Skip with the reason where it cannot be used."""
        utterance = self.utterances[index]
        own_seed = item_seed(seed, epoch, index)
        try:
            tokens = self._tokens(utterance)
            label = self._label(utterance)
            samples = self._samples(index, self._speed(own_seed))
        except (_Unusable, AudioError) as error:
            uncovered = isinstance(error, _TextUncovered)
            return Skip(where_of(utterance), str(error), text_uncovered=uncovered)
        if self.transform is not None:
            generator = torch.Generator().manual_seed(own_seed)
            samples = self.transform(samples, generator, utterance)
        return Item(utterance, samples, tokens, own_seed, label)

    def _tokens(self, utterance: Utterance) -> list[int]:
        """The tokens of its text; _Unusable where there is none, or nothing of it is written."""
        if self.tokenizer is None:
            return []
        if utterance.text is None:
            raise _Unusable("expected a text; the line has none")
        tokens = self.tokenizer.encode(utterance.text)
        if not tokens and utterance.text.strip():
            raise _TextUncovered(f"no character of the text {utterance.text!r} is in the alphabet")
        return tokens

    def _label(self, utterance: Utterance) -> int | None:
        """The number of its class; _Unusable where it is of none."""
        if self.labels is None:
            return None
        label = self.labels.get(utterance.label or "")
        if label is None:
            raise _Unusable(
                f"label {utterance.label!r} is none of the {len(self.labels)} classes "
                f"({', '.join(self.labels)})"
            )
        return label

    def _speed(self, own_seed: int) -> float:
        """The speed at which an utterance with such a seed is heard."""
        return self.speeds[own_seed % len(self.speeds)]

    def _samples(self, index: int, speed: float) -> Tensor:
        """The recording at one speed, from memory where it was read before."""
        samples = self.cache.get((index, speed))
        if samples is None:
            samples = self._read(self.utterances[index], speed)
            if get_worker_info() is None:  # worker processes would each fill a cache of their own
                self.cache.put((index, speed), samples)
        return samples

    def _read(self, utterance: Utterance, speed: float) -> Tensor:
        """What is read of an utterance, played at a speed."""
        if self.read is None:
            samples = read_audio(utterance, self.rate_hz)
            return played_faster(samples, self.rate_hz, speed)
        try:
            return self.read(utterance, speed)
        except ValueError as error:
            raise AudioError(str(error)) from error

    @cached_property
    def durations(self) -> tuple[float, ...]:
        """Seconds of each utterance: the manifest's, else the header's; 0 for an unreadable one."""
        return tuple(seconds_of(utterance) for utterance in self.utterances)

    def state_dict(self) -> dict[str, Any]:
        """What a run that goes on must know of the corpus, as plain data; of most nothing."""
        return {}

    @property
    def seconds(self) -> float:
        """Seconds of audio in the corpus."""
        return sum(self.durations)


class _Unusable(Exception):
    """An utterance that is left out, and why."""


class _TextUncovered(_Unusable):
    """An utterance of whose text the alphabet can write nothing."""


def has_room(item: Item, rate_hz: int, frame_s: float) -> bool:
    """Whether frames of so many seconds can spell an item's tokens, a blank between equal ones.

    Example:
        >>> from pathlib import Path
        >>> item = Item(Utterance(Path("a.wav")), torch.zeros(16000), [1, 1, 2])
        >>> has_room(item, 16000, 0.2), has_room(item, 16000, 0.25)
        (True, False)
    """
    repeats = sum(token == following for token, following in pairwise(item.tokens))
    frames = len(item.tokens) + repeats + 1  # the last one may not be whole
    return item.samples.shape[0] >= frames * frame_s * rate_hz


def collate(items: Sequence[Item | Skip], rate_hz: int) -> Batch | None:
    """One batch of what could be read, the rest in `skipped`; None where nothing is left.

    Example:
        >>> from pathlib import Path
        >>> items = [Item(Utterance(Path(name)), torch.ones(160), [1, 2]) for name in ("a", "b")]
        >>> collate(items, 16000).audio.data.shape
        torch.Size([2, 160])
    """
    skipped = tuple(item for item in items if isinstance(item, Skip))
    readable = [item for item in items if isinstance(item, Item)]
    if not readable:
        return None
    tokens: list[int] = []
    for item in readable:
        tokens += item.tokens
    rate = Fraction(rate_hz)
    clean = _stacked([item.clean for item in readable], rate)
    return Batch(
        utterances=tuple(item.utterance for item in readable),
        audio=Seq.stack([item.samples for item in readable], rate),
        targets=torch.tensor(tokens, dtype=torch.int64),
        target_lengths=tuple(len(item.tokens) for item in readable),
        skipped=skipped,
        seeds=tuple(item.seed for item in readable),
        clean=clean,
        video=_stacked([item.video for item in readable], Fraction(VIDEO_HZ)),
        labels=_numbers([item.label for item in readable]),
        states=_stacked([item.states for item in readable], Fraction(STATES_HZ)),
        silent=_silent_rows(clean),
    )


def _silent_rows(clean: Seq | None) -> tuple[bool, ...]:
    """Which rows of clean speech hold nothing; of none, none are known."""
    if clean is None:
        return ()
    from ctcasr.scoring.distortion import silent  # brings jiwer, which takes a while to load

    return tuple(silent(clean).tolist())


def _stacked(parts: Sequence[Tensor | None], rate: Fraction) -> Seq | None:
    """None where one of them is missing."""
    present = [part for part in parts if part is not None]
    if len(present) < len(parts):
        return None
    return Seq.stack(present, rate)


def _numbers(labels: Sequence[int | None]) -> Tensor | None:
    """int64 [B]; None where one of them is missing."""
    present = [label for label in labels if label is not None]
    if len(present) < len(labels):
        return None
    return torch.tensor(present, dtype=torch.int64)


def seconds_of(utterance: Utterance) -> float:
    """Seconds of an utterance: the manifest's, else the header's; 0 for an unreadable one."""
    if utterance.duration is not None:
        return utterance.duration
    try:
        whole_s = audio_info(utterance.audio_filepath).duration_s
    except AudioError:
        return 0.0
    return max(0.0, whole_s - utterance.offset)


def item_seed(seed: int, epoch: int, index: int) -> int:
    """One seed of 63 bits for all that is random about utterance `index` in an epoch of a run."""
    sequence = np.random.SeedSequence([seed, epoch, index])
    (state,) = sequence.generate_state(1, np.uint64)
    return int(state >> 1)
