"""What can be asked of recognisers: to transcribe, to give logits, to stream; who can do what.

| | transcribe | logits | differentiable | stream |
| --- | --- | --- | --- | --- |
| `Recogniser` (a checkpoint) | yes | yes | yes | where its network can |
| `OnnxRecogniser` | yes | yes | no | no |
| `Ensemble` | yes | of each member | no | no |
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import torch

from ctcasr.data.sound import Sound
from ctcasr.decoding.decoder import Decoder
from ctcasr.decoding.hypothesis import Hypothesis
from ctcasr.recognise.stream import Stream
from ctcasr.seq import Seq
from ctcasr.text import Tokenizer
from ctcasr.word_times.word_models import WordModels


class NotOffered(AttributeError, ValueError):
    """A recogniser was asked for what its kind cannot do; the message says which kind can."""


class Reader(Protocol):
    """What every kind of recogniser has."""

    @property
    def tokenizer(self) -> Tokenizer:
        """What its symbols spell."""
        ...

    @property
    def rate_hz(self) -> int:
        """The sample rate inside."""
        ...


@runtime_checkable
class Transcriber(Reader, Protocol):
    """Writes down what is said: whoever scores or listens needs no more."""

    blank_penalty: float  # nats taken off the blank in decoding

    def transcribe(
        self,
        audio: Sound | Sequence[Sound],
        rate_hz: int | None = None,
        batch_seconds: float = 120.0,
        decoder: Decoder | None = None,
    ) -> list[Hypothesis]:
        """Hypotheses of files, or of samples at `rate_hz`."""
        ...


@runtime_checkable
class LogitsSource(Reader, Protocol):
    """Scores symbols frame by frame: what an ensemble needs of its members."""

    word_models: WordModels  # when words are said, how sure they are

    @property
    def frame_s(self) -> float:
        """Seconds from one frame of logits to the next."""
        ...

    @property
    def device(self) -> torch.device:
        """Where it wants its samples."""
        ...

    def logits(self, samples: Seq) -> Seq:
        """Logits [B, T, symbols] of samples [B, N]."""
        ...


@runtime_checkable
class Streamer(Reader, Protocol):
    """Recognises an utterance as it is heard."""

    def stream(self) -> Stream:
        """Recognition of one utterance, piece by piece."""
        ...
