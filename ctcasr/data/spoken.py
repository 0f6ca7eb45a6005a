"""A corpus without files: eSpeak NG says utterances when asked for, the same to the bit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from random import Random

import torch

from ctcasr.batch import Skip, Utterance
from ctcasr.data.corpus import Corpus, Encoder, Item, Transform, has_room, item_seed
from ctcasr.data.synth import say, split_voices

Texts = Callable[[Random, int], tuple[str, str]]  # (generator, words) -> (written, said)
RATES_WPM = (120, 210)
_WORD_S = 0.33  # about what a word takes at RATES_WPM
_ENDS_S = 0.1  # and the silence around a text
_SECONDS_AN_HOUR = 3600
_PLAIN_EPOCHS = 1  # in which nothing is transformed: sooner past the blanks
_FRAME_S = 0.04  # of the default network, behind its stride


class SpokenCorpus(Corpus):
    """About `hours` of synthetic speech an epoch.

    Text, voice and all else follow from (seed, epoch, index), so no epoch repeats another; only
    the number of words of utterance `index` is the same in every epoch, so that batches can be
    planned. With `fixed` every epoch is the same. `voices` are eSpeak NG's (default: those for
    training of `split_voices`), and speak at `rates_wpm` (slowest, fastest); as slowly as that
    where a text has not room in frames of `frame_s` seconds otherwise. `transform` changes what was
    said, from the second epoch on. Nothing is kept in memory or on disk.

    Raises:
        ValueError: for no hours, or numbers of `words` (fewest, most) that cannot be.
    """

    def __init__(
        self,
        texts: Texts,
        tokenizer: Encoder | None,
        rate_hz: int,
        hours: float,
        voices: Sequence[str] = (),
        words: tuple[int, int] = (2, 20),
        noise_share: float = 0.5,
        fixed: bool = False,
        rates_wpm: tuple[int, int] = RATES_WPM,
        frame_s: float = _FRAME_S,
        transform: Transform | None = None,
    ) -> None:
        fewest, most = words
        if hours <= 0 or not 1 <= fewest <= most:
            raise ValueError(
                f"expected hours > 0 and 1 <= fewest <= most words; got {hours} and {words}"
            )
        self.texts = texts
        self.words = words
        self.noise_share = noise_share
        self.fixed = fixed
        self.rates_wpm = rates_wpm
        self.frame_s = frame_s
        self.voices = tuple(voices) or tuple(split_voices()[0])
        mean_s = _ENDS_S + _WORD_S * (fewest + most) / 2
        count = max(1, round(_SECONDS_AN_HOUR * hours / mean_s))
        unsaid = [
            Utterance(Path(f"spoken-{index:07d}"), where=f"spoken:{index}", made=True)
            for index in range(count)
        ]
        super().__init__(unsaid, tokenizer, rate_hz, transform, cache_bytes=0)

    def item(self, index: int, *, seed: int = 0, epoch: int = 0) -> Item | Skip:
        """Utterance `index` as it is said in `epoch`, with its text, voice and true duration."""
        item = self._said(index, seed, epoch, self.rates_wpm)
        if has_room(item, self.rate_hz, self.frame_s):
            return item
        slowest_wpm, _ = self.rates_wpm
        return self._said(index, seed, epoch, (slowest_wpm, slowest_wpm))

    def _said(self, index: int, seed: int, epoch: int, rates_wpm: tuple[int, int]) -> Item:
        """Utterance `index`, at one of these rates."""
        own_seed = item_seed(seed, 0 if self.fixed else epoch, index)
        written, aloud = self.texts(Random(f"text {own_seed}"), self._count(index))
        spoken = say(
            own_seed,
            text=written,
            aloud=aloud,
            voices=self.voices,
            rate_hz=self.rate_hz,
            noise_share=self.noise_share,
            rates_wpm=rates_wpm,
        )
        utterance = replace(
            self.utterances[index],
            text=written,
            speaker=spoken.voice,
            duration=len(spoken.samples) / self.rate_hz,
        )
        tokens: list[int] = []
        if self.tokenizer is not None:
            tokens = self.tokenizer.encode(written)
        samples = spoken.samples
        if self.transform is not None and epoch >= _PLAIN_EPOCHS:
            generator = torch.Generator().manual_seed(own_seed)
            samples = self.transform(samples, generator, utterance)
        return Item(utterance, samples, tokens, own_seed)

    @cached_property
    def durations(self) -> tuple[float, ...]:
        """Seconds that each utterance will take, about, by its number of words."""
        return tuple(_ENDS_S + _WORD_S * self._count(index) for index in range(len(self)))

    def _count(self, index: int) -> int:
        """Words of utterance `index`."""
        return Random(f"words {index}").randint(*self.words)
