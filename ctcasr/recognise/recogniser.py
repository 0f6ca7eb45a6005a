"""Audio in, hypotheses out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ctcasr import checkpoint
from ctcasr.batch import Utterance
from ctcasr.data.sound import Sound
from ctcasr.decoding.commands import Commands
from ctcasr.decoding.decoder import check_width
from ctcasr.decoding.hypothesis import Hypothesis, Word
from ctcasr.recognise.model import SpeechModel, build
from ctcasr.recognise.onnx import OnnxRecogniser
from ctcasr.recognise.onnx_metadata import COMMANDS, KIND, WORD_MODELS
from ctcasr.recognise.reading import lips_of, read_clip
from ctcasr.recognise.spec import spec_from
from ctcasr.recognise.stream import Stream
from ctcasr.recognise.transcribing import TranscribingLogits
from ctcasr.seq import Seq
from ctcasr.text import Tokenizer, tokenizer_from_state
from ctcasr.word_times.word_models import WordModels

__all__ = ["Hypothesis", "Recogniser", "Word"]


class Recogniser(TranscribingLogits):
    """A trained network with its tokenizer; `Recogniser.load(path)` reads any that was saved.

    Example:
        >>> from ctcasr.recognise.spec import spec_to
        >>> from ctcasr.specs import NetSpec
        >>> from ctcasr.text import Alphabet
        >>> spec = NetSpec(layers=1, hidden=8)
        >>> alphabet = Alphabet("abc ")
        >>> recogniser = Recogniser(build(spec, alphabet.size), alphabet, spec_to(spec), {})
        >>> hypothesis, = recogniser.transcribe(torch.zeros(16000), rate_hz=16000)
        >>> len(hypothesis.words) == len(hypothesis.text.split())
        True
    """

    KIND = KIND

    def __init__(
        self,
        model: SpeechModel,
        tokenizer: Tokenizer,
        spec: Mapping[str, Any],
        notes: Mapping[str, Any],
        word_models: WordModels | None = None,
    ) -> None:
        """Raises ValueError where the network has not one output for each symbol."""
        check_width(model.symbols, tokenizer)
        self.model = model.eval()
        self.tokenizer = tokenizer
        self.spec = spec
        self.notes = notes
        self.blank_penalty = 0.0
        self.word_models = word_models or WordModels()

    @staticmethod
    def payload(
        model: SpeechModel, spec: Mapping[str, Any], tokenizer: Tokenizer, notes: Mapping[str, Any]
    ) -> dict[str, Any]:
        """What a checkpoint holds so that `load` can make the recogniser anew."""
        state = tokenizer.to_state()
        return checkpoint.network_payload(KIND, model, spec, notes, tokenizer=state)

    @staticmethod
    def load(path: str | Path, device: str | torch.device = "cpu") -> Recogniser | OnnxRecogniser:
        """Read a checkpoint, or an ONNX file (`.onnx`) that was exported of one.

        An ONNX file is computed by onnxruntime on the CPU, whatever the device. Whoever needs the
        network itself (gradients, streams) asks for `load_checkpoint`. Raises
        CheckpointError where the file is not a recogniser's.
        """
        if Path(path).suffix.lower() == ".onnx":
            return OnnxRecogniser(path)
        return Recogniser.load_checkpoint(path, device)

    @staticmethod
    def load_checkpoint(path: str | Path, device: str | torch.device = "cpu") -> Recogniser:
        """Read a checkpoint; raises CheckpointError where it is not a recogniser's."""
        if Path(path).suffix.lower() == ".onnx":
            raise checkpoint.CheckpointError(
                f"{path}: expected a checkpoint (.pt) here; an ONNX file transcribes, "
                "but holds no network that torch knows"
            )
        payload = checkpoint.load_kind(path, KIND)
        tokenizer = tokenizer_from_state(payload["tokenizer"])
        model = build(spec_from(payload["spec"]), tokenizer.size)
        model.load_state_dict(payload["network"])
        word_models = WordModels.from_state(payload.get(WORD_MODELS, {}))
        recogniser = Recogniser(
            model.to(device), tokenizer, payload["spec"], payload["notes"], word_models
        )
        if COMMANDS in payload:
            recogniser.understand(Commands.from_state(payload[COMMANDS]))
        return recogniser

    @property
    def rate_hz(self) -> int:
        """The sample rate inside."""
        return self.model.rate_hz

    @property
    def sees(self) -> bool:
        """Whether it reads lips, of videos, rather than sound."""
        return self.model.sees

    @property
    def frame_s(self) -> float:
        """Seconds from one frame of logits to the next."""
        return self.model.frame_s

    @property
    def device(self) -> torch.device:
        """Where the network is."""
        return self.model.device

    def logits(self, samples: Seq) -> Seq:
        """Logits [B, T, symbols] of samples [B, N] at `rate_hz`.

        Differentiable, so that enhancement can learn from it.
        """
        return self.model(samples)

    def clips(self, audio: Sound | Sequence[Sound], rate_hz: int | None) -> Iterator[Tensor]:
        """Samples [N] of each sound; of a lip reader frames [T, H, W] uint8 of each video."""
        if self.sees:
            return lips_of(audio, spec_from(self.spec).lips)
        return super().clips(audio, rate_hz)

    def read(self, utterance: Utterance) -> Tensor:
        """What the network reads of a manifest line; AudioError where it cannot be read."""
        return read_clip(spec_from(self.spec), utterance, self.rate_hz)

    def stream(self) -> Stream:
        """Recognition of one utterance as it is heard, piece by piece.

        Raises ValueError where the network cannot, with what can.
        """
        return Stream(self.model, self.tokenizer, self.blank_penalty)
