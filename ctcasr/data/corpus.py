"""A corpus: utterances as samples and tokens, one by one and collated to batches."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Protocol

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import get_worker_info

from ctcasr.batch import Batch, Skip, Utterance
from ctcasr.data.audio import AudioError, audio_info, read_audio, resample
from ctcasr.data.cache import SampleCache
from ctcasr.seq import Seq

VIDEO_HZ = 25  # whoever reads frames brings them to this rate
Transform = Callable[[Tensor, torch.Generator, Utterance], Tensor]


class Encoder(Protocol):
    """What a corpus needs of a tokenizer."""

    def encode(self, text: str) -> list[int]: ...


@dataclass(frozen=True)
class Item:
    """One utterance as samples [N] and the tokens of its text; `seed` keys all that is random about it."""

    utterance: Utterance
    samples: Tensor
    tokens: list[int]
    seed: int = 0
    label: int | None = None  # number of its class
    clean: Tensor | None = None  # samples [N] of the speech alone
    video: Tensor | None = None  # frames [T, H, W] at VIDEO_HZ


class Corpus:
    """Utterances that are read when they are asked for; picklable, so that worker processes can hold it.

    `transform(samples [N], generator, utterance)` changes the samples; its generator depends on seed, epoch and index
    alone. With `speeds`, one of them is drawn each time and the recording played that much faster (Ko et al. 2015), pitch
    included. Without a tokenizer the tokens are empty. With `labels` (number of each class), utterances of other classes are
    skipped. Decoded samples are kept in memory up to `cache_bytes`.
    """

    def __init__(
        self,
        utterances: Sequence[Utterance],
        tokenizer: Encoder | None,
        rate_hz: int,
        transform: Transform | None = None,
        speeds: Sequence[float] = (1.0,),
        cache_bytes: int = 1 << 30,
        labels: Mapping[str, int] | None = None,
    ) -> None:
        if rate_hz < 1:
            raise ValueError(f"rate_hz: expected a rate above 0; got {rate_hz}")
        self.utterances = tuple(utterances)
        self.tokenizer = tokenizer
        self.rate_hz = rate_hz
        if not speeds or not all(0.5 <= speed <= 2.0 for speed in speeds):
            raise ValueError(
                f"speeds: expected factors within 0.5..2, at least one; got {speeds!r}"
            )
        self.transform = transform
        self.labels = labels
        self.speeds = tuple(speeds)
        self.cache = SampleCache(cache_bytes)

    def __len__(self) -> int:
        return len(self.utterances)

    def __getitem__(self, index: int) -> Item | Skip:
        return self.item(index)

    def item(self, index: int, *, seed: int = 0, epoch: int = 0) -> Item | Skip:
        """Utterance `index` as `epoch` sees it; a Skip with the reason where file or text cannot be used."""
        utterance = self.utterances[index]
        tokens: list[int] = []
        if self.tokenizer is not None:
            if utterance.text is None:
                return _skip(utterance, "expected a text; the line has none")
            tokens = self.tokenizer.encode(utterance.text)
            if not tokens and utterance.text.strip():
                return _skip(
                    utterance, f"no character of the text {utterance.text!r} is in the alphabet"
                )
        label = None
        if self.labels is not None:
            label = self.labels.get(utterance.label or "")
            if label is None:
                return _skip(
                    utterance,
                    f"label {utterance.label!r} is none of the {len(self.labels)} classes ({', '.join(self.labels)})",
                )
        own_seed = item_seed(seed, epoch, index)
        speed = self.speeds[own_seed % len(self.speeds)]
        try:
            samples = self._samples(index, speed)
        except AudioError as error:
            return _skip(utterance, str(error))
        if self.transform is not None:
            samples = self.transform(samples, torch.Generator().manual_seed(own_seed), utterance)
        return Item(utterance, samples, tokens, own_seed, label)

    def _samples(self, index: int, speed: float) -> Tensor:
        """The recording at one speed, from memory where it was read before."""
        samples = self.cache.get((index, speed))
        if samples is None:
            samples = read_audio(self.utterances[index], self.rate_hz)
            samples = resample(samples, round(self.rate_hz * speed), self.rate_hz)
            if get_worker_info() is None:  # worker processes would each fill a cache of their own
                self.cache.put((index, speed), samples)
        return samples

    @cached_property
    def durations(self) -> tuple[float, ...]:
        """Seconds of each utterance: the manifest's, or the header's where it has none; 0 for what cannot be read."""
        return tuple(_duration(u) if u.duration is None else u.duration for u in self.utterances)

    @property
    def seconds(self) -> float:
        """Seconds of audio in the corpus."""
        return sum(self.durations)


def collate(items: Sequence[Item | Skip], rate_hz: int) -> Batch | None:
    """One batch of what could be read, with what could not in `skipped`; None where nothing is left."""
    good = [item for item in items if isinstance(item, Item)]
    if not good:
        return None
    labels = [item.label for item in good if item.label is not None]
    clean = [item.clean for item in good if item.clean is not None]
    video = [item.video for item in good if item.video is not None]
    return Batch(
        utterances=tuple(item.utterance for item in good),
        audio=Seq.stack([item.samples for item in good], Fraction(rate_hz)),
        targets=torch.tensor([token for item in good for token in item.tokens], dtype=torch.int64),
        target_lengths=tuple(len(item.tokens) for item in good),
        skipped=tuple(item for item in items if isinstance(item, Skip)),
        seeds=tuple(item.seed for item in good),
        clean=Seq.stack(clean, Fraction(rate_hz)) if len(clean) == len(good) else None,
        video=Seq.stack(video, Fraction(VIDEO_HZ)) if len(video) == len(good) else None,
        labels=torch.tensor(labels, dtype=torch.int64) if len(labels) == len(good) else None,
    )


def _skip(utterance: Utterance, reason: str) -> Skip:
    return Skip(utterance.where or utterance.id, reason)


def _duration(utterance: Utterance) -> float:
    try:
        return max(0.0, audio_info(utterance.audio_filepath).duration_s - utterance.offset)
    except AudioError:
        return 0.0


def item_seed(seed: int, epoch: int, index: int) -> int:
    """One seed for all that is random about utterance `index` in an epoch of a run."""
    return int(np.random.SeedSequence([seed, epoch, index]).generate_state(1, np.uint64)[0] >> 1)
