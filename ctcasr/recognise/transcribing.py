"""How clips become batches and batches become hypotheses, whatever kind of recogniser it is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from ctcasr.data.sound import Sound, clips_of
from ctcasr.decoding.commands import CommandDecoder, Commands
from ctcasr.decoding.decoder import Decoder, decoded_rows
from ctcasr.decoding.hypothesis import Hypothesis, Word, hypothesis_of, words_of
from ctcasr.recognise.heard import heard_best, penalised_logits
from ctcasr.seq import Seq
from ctcasr.text import Tokenizer
from ctcasr.word_times.word_models import WordModels


class Transcribing(ABC):
    """`transcribe`: clips of like lengths go together; what a batch says, each kind knows."""

    tokenizer: Tokenizer
    blank_penalty: float = 0.0  # nats taken off the blank in decoding

    @property
    @abstractmethod
    def rate_hz(self) -> int:
        """The sample rate inside."""

    @property
    def sees(self) -> bool:
        """Whether it reads lips, of videos, rather than sound."""
        return False

    @abstractmethod
    def decode_batch(self, samples: Seq, decoder: Decoder | None) -> list[Hypothesis]:
        """Hypotheses of samples [B, N]: greedy, or by a decoder."""

    def clips(self, audio: Sound | Sequence[Sound], rate_hz: int | None) -> Iterator[Tensor]:
        """What the network reads of each sound: samples [N] at `rate_hz` of its own."""
        return clips_of(audio, rate_hz, self.rate_hz)

    def transcribe(
        self,
        audio: Sound | Sequence[Sound],
        rate_hz: int | None = None,
        batch_seconds: float = 120.0,
        decoder: Decoder | None = None,
    ) -> list[Hypothesis]:
        """Hypotheses of files (paths or open), or of samples at `rate_hz`, which these need.

        Samples are tensors or numpy arrays, [N] or [channels, N], floats of -1..1 or integers.
        Greedy, or by a `decoder` (`ctcasr.decoding.decoder.beam_decoder`); a recogniser of given
        sentences writes one of these or nothing.
        Raises AudioError for a bad file, and for samples that cannot be sound.
        """
        clips = list(self.clips(audio, rate_hz))
        seconds = [clip.shape[0] / self.rate_hz for clip in clips]
        hypotheses: dict[int, Hypothesis] = {}
        for indices in batches_by_length(seconds, batch_seconds):
            samples = Seq.stack([clips[index] for index in indices], self.rate_hz)
            for index, hypothesis in zip(indices, self.decode_batch(samples, decoder), strict=True):
                hypotheses[index] = hypothesis.within(seconds[index])
        return [hypotheses[index] for index in range(len(clips))]


class TranscribingLogits(Transcribing):
    """`transcribe` for whoever gives logits."""

    word_models: WordModels
    commands: Commands | None = None  # the sentences that are understood, where only these are
    _understood: CommandDecoder | None = None

    def understand(self, commands: Commands) -> None:
        """From now on write a sentence of these or nothing, where no other decoder is asked for."""
        self.commands = commands
        self._understood = commands.decoder(self.tokenizer)

    @property
    @abstractmethod
    def frame_s(self) -> float:
        """Seconds from one frame of logits to the next."""

    @property
    @abstractmethod
    def device(self) -> torch.device:
        """Where it wants its samples."""

    @abstractmethod
    def logits(self, samples: Seq) -> Seq:
        """Logits [B, T, symbols] of samples [B, N]."""

    def words(self, tokens: Sequence[int], frames: Sequence[tuple[int, int]]) -> tuple[Word, ...]:
        """Tokens, with first and one past the last frame of each, grouped into words."""
        return words_of(self.tokenizer, tokens, frames, self.frame_s)

    @torch.no_grad()
    def decode_batch(self, samples: Seq, decoder: Decoder | None) -> list[Hypothesis]:
        """Hypotheses of samples [B, N]: greedy, or by a decoder, or of the sentences understood."""
        if decoder is None and self._understood is not None:
            return self._understood_batch(samples, self._understood)
        logits = penalised_logits(self, samples, self.blank_penalty)
        rows = decoded_rows(logits, self.tokenizer.blank, decoder)
        hypotheses = []
        for row, decoded in enumerate(rows):
            hypothesis = hypothesis_of(self.tokenizer, decoded, self.frame_s, logits.row(row))
            hypotheses.append(self.word_models.applied(samples.row(row), hypothesis))
        return hypotheses

    def _understood_batch(self, samples: Seq, decoder: CommandDecoder) -> list[Hypothesis]:
        """Of each row the sentence that is heard best at any speed, or nothing."""
        hypotheses = []
        for row, heard in enumerate(heard_best(self, samples, decoder, self.blank_penalty)):
            decoded = decoder.accepted(heard.sentence, heard.certainty)
            frame_s = self.frame_s * heard.speed
            hypothesis = hypothesis_of(self.tokenizer, decoded, frame_s, heard.logits)
            hypotheses.append(self.word_models.applied(samples.row(row), hypothesis))
        return hypotheses


def batches_by_length(seconds: Sequence[float], batch_seconds: float) -> Iterator[list[int]]:
    """Indices of clips of so many seconds, longest first, padded batch by padded batch.

    Example:
        >>> list(batches_by_length([1.0, 4.0, 2.0, 1.0], 4.0))
        [[1], [2, 3], [0]]
    """
    waiting = sorted(range(len(seconds)), key=seconds.__getitem__)
    while waiting:
        longest = seconds[waiting[-1]]
        count = min(len(waiting), max(1, int(batch_seconds / longest)))
        yield [waiting.pop() for _ in range(count)]
