"""Audio in, hypotheses out."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ctcasr import checkpoint
from ctcasr.ctc import Decoded, greedy, penalised
from ctcasr.data import read_audio, resample
from ctcasr.recognise.decoder import Decoder
from ctcasr.recognise.hypothesis import Hypothesis, Word, words_of
from ctcasr.recognise.model import SpeechModel, build
from ctcasr.recognise.spec import spec_from
from ctcasr.recognise.stream import Stream
from ctcasr.seq import Seq
from ctcasr.text import Tokenizer, tokenizer_from_state

Audio = str | Path | Tensor


class Recogniser:
    """A trained model with its tokenizer; `Recogniser.load(path)` reads any checkpoint of a recogniser, or its ONNX file."""

    KIND = "recogniser"

    def __init__(
        self,
        model: SpeechModel,
        tokenizer: Tokenizer,
        spec: Mapping[str, Any],
        notes: Mapping[str, Any],
    ) -> None:
        self.model, self.tokenizer, self.spec, self.notes = model.eval(), tokenizer, spec, notes
        self.blank_penalty = 0.0  # nats taken off the blank in decoding

    @staticmethod
    def payload(
        model: SpeechModel, spec: Mapping[str, Any], tokenizer: Tokenizer, notes: Mapping[str, Any]
    ) -> dict[str, Any]:
        """What a checkpoint holds so that `load` can make the recogniser anew."""
        return {
            "kind": Recogniser.KIND,
            "spec": dict(spec),
            "tokenizer": tokenizer.to_state(),
            "notes": dict(notes),
            "network": {
                name: tensor.detach().cpu().clone() for name, tensor in model.state_dict().items()
            },
        }

    @staticmethod
    def load(path: str | Path, device: str | torch.device = "cpu") -> Recogniser:
        """Read a checkpoint, or an ONNX file (`.onnx`) that was exported of one; raises CheckpointError where it is not a recogniser's."""
        if Path(path).suffix.lower() == ".onnx":
            from ctcasr.recognise.onnx import OnnxRecogniser

            return OnnxRecogniser(path)
        payload = checkpoint.load_kind(path, Recogniser.KIND)
        tokenizer = tokenizer_from_state(payload["tokenizer"])
        model = build(spec_from(payload["spec"]), tokenizer.size)
        model.load_state_dict(payload["network"])
        return Recogniser(model.to(device), tokenizer, payload["spec"], payload["notes"])

    @property
    def rate_hz(self) -> int:
        """The sample rate inside."""
        return self.model.rate_hz

    @property
    def frame_s(self) -> float:
        """Seconds from one frame of logits to the next."""
        return self.model.frame_s

    @property
    def device(self) -> torch.device:
        return self.model.device

    def logits(self, samples: Seq) -> Seq:
        """Logits [B, T, symbols] of samples [B, N] at `rate_hz`; differentiable, so that enhancement can learn from it."""
        return self.model(samples)

    def transcribe(
        self,
        audio: Audio | Sequence[Audio],
        rate_hz: int | None = None,
        batch_seconds: float = 120.0,
        decoder: Decoder | None = None,
    ) -> list[Hypothesis]:
        """Hypotheses of files or of samples [N] (float, -1..1, at `rate_hz`, which samples need); raises AudioError for a bad file.

        Greedy, or by a `decoder` (`ctcasr.recognise.decoder.beam_decoder`).
        """
        items: Iterable[Audio] = [audio] if isinstance(audio, str | Path | Tensor) else audio
        samples = [self._samples(item, rate_hz) for item in items]
        order = sorted(range(len(samples)), key=lambda i: samples[i].shape[0])
        heard: dict[int, Hypothesis] = {}
        while order:
            longest = samples[order[-1]].shape[0] / self.rate_hz
            take = [
                order.pop() for _ in range(min(len(order), max(1, int(batch_seconds / longest))))
            ]
            hypotheses = self._decode(Seq.stack([samples[i] for i in take], self.rate_hz), decoder)
            heard.update(zip(take, hypotheses, strict=True))
        return [heard[i] for i in range(len(samples))]

    def stream(self) -> Stream:
        """Recognition of one utterance as it is heard, piece by piece; ValueError where the network cannot, with what can."""
        return Stream(self.model, self.tokenizer, self.blank_penalty)

    @torch.no_grad()
    def _decode(self, samples: Seq, decoder: Decoder | None) -> list[Hypothesis]:
        logits = self.logits(samples.to(self.device))
        rows = found(
            logits.with_data(penalised(logits.data, self.tokenizer.blank, self.blank_penalty)),
            self.tokenizer.blank,
            decoder,
        )
        return [self._hypothesis(row or [Decoded((), (), -math.inf)]) for row in rows]

    def _hypothesis(self, row: Sequence[Decoded]) -> Hypothesis:
        best, *others = row
        return Hypothesis(
            self.tokenizer.decode(best.tokens),
            self.words(best.tokens, best.frames),
            best.tokens,
            best.score,
            tuple(self._hypothesis([other]) for other in others),
        )

    def _samples(self, item: Audio, rate_hz: int | None) -> Tensor:
        if not isinstance(item, Tensor):
            return read_audio(item, self.rate_hz)
        if rate_hz is None:
            raise ValueError(
                "expected rate_hz with samples; a tensor does not know its sample rate"
            )
        if item.dim() != 1 or item.numel() == 0 or not bool(torch.isfinite(item).all()):
            raise ValueError(
                f"expected finite samples [N], one channel, at least one; got {tuple(item.shape)}"
            )
        return resample(item.float(), rate_hz, self.rate_hz)

    def words(self, tokens: Sequence[int], frames: Sequence[tuple[int, int]]) -> tuple[Word, ...]:
        """Tokens grouped into words."""
        return words_of(self.tokenizer, tokens, frames, self.frame_s)


def found(logits: Seq, blank: int, decoder: Decoder | None) -> list[list[Decoded]]:
    """Hypotheses of each row of logits [B, T, symbols], best first: greedy, or by a decoder."""
    return (
        decoder(logits)
        if decoder
        else [[one] for one in greedy(logits.data, logits.lengths, blank)]
    )
