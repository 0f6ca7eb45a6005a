"""Recognition while the sound is still coming: chunks in, the words so far out; what comes out is what comes of the whole."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import torch
from torch import Tensor

from ctcasr.ctc import greedy, penalised
from ctcasr.front import UtteranceNorm
from ctcasr.recognise.hypothesis import Hypothesis, Word, words_of
from ctcasr.recognise.model import SpeechModel
from ctcasr.seq import IDENTITY, Framing, Seq
from ctcasr.text import Tokenizer


def obstacles(model: SpeechModel) -> list[str]:
    """Why a network must hear the end before it can write the beginning, each with what to change in its spec; empty: it can stream."""
    found = []
    if any(layer.backwards is not None for layer in model.body.rnn.layers):
        found.append("its RNN reads in both directions (bidirectional = false reads in one)")
    if isinstance(model.front.norm, UtteranceNorm):
        found.append(
            'its features are normalised by statistics of the whole utterance (front.norm = "corpus" takes those of the corpus)'
        )
    if model.front.extract.range_db:
        found.append(
            "its features are relative to the loudest point of the clip (front.range_db = 0 takes them as they are)"
        )
    return found


class Stage:
    """One step of the network, given its inputs piece by piece: what `work` makes of whole windows; keeps what the next ones need."""

    def __init__(self, framing: Framing, work: Callable[[Tensor], Tensor]) -> None:
        self.framing, self.work = framing, work
        self._held: Tensor | None = None
        self._beyond = (
            0  # inputs to come that no frame sees (where the hop is longer than the window)
        )

    def __call__(self, data: Tensor | None, last: bool) -> Tensor | None:
        """Frames [1, T', ...] that are complete with inputs [1, T, ...], None for none; `last`: nothing follows but zeros."""
        if data is not None:
            held = (
                data.new_zeros(1, self.framing.before, *data.shape[2:])
                if self._held is None
                else self._held
            )
            self._held = torch.cat((held, data), 1)
        if self._held is None:
            return None
        if last:
            self._held = torch.cat(
                (self._held, self._held.new_zeros(1, self.framing.after, *self._held.shape[2:])), 1
            )
        ready = self._held[:, self._beyond :]
        count = (ready.shape[1] - self.framing.size) // self.framing.hop + 1
        if count < 1:
            return None
        seen = (count - 1) * self.framing.hop + self.framing.size
        self._beyond = max(0, count * self.framing.hop - ready.shape[1])
        self._held = ready[:, count * self.framing.hop :].clone()
        return self.work(ready[:, :seen])


class LogitsStream:
    """The network on samples that come piece by piece; ValueError where it cannot stream."""

    def __init__(self, model: SpeechModel) -> None:
        if found := obstacles(model):
            raise ValueError(
                f"this network cannot stream: {'; '.join(found)}. "
                "Train one that can: python recipes/recognise.py --net streaming"
            )
        self.model = model
        body: Any = model.body
        self._states: list[Any] = [None] * len(body.rnn.layers)
        self._stages = [Stage(model.front.framing, self._features)]
        self._stages += [Stage(layer.framing, self._conv(layer)) for layer in body.conv.layers]
        self._stages.append(Stage(IDENTITY, self._recurrent))
        if body.lookahead is not None:
            self._stages.append(Stage(body.lookahead.framing, body.lookahead.unpadded))
        self._stages.append(Stage(IDENTITY, self._scores))

    @torch.no_grad()
    def __call__(self, samples: Tensor, last: bool = False) -> Tensor:
        """Logits [T, symbols] that samples [N] complete; with `last`, all that remain."""
        data = samples[None] if samples.shape[0] else None
        for stage in self._stages:
            data = stage(data, last)
        return (
            samples.new_zeros(0, self.model.body.head.output.out_features)
            if data is None
            else data[0]
        )

    def _features(self, samples: Tensor) -> Tensor:
        extract = self.model.front.extract
        features: Seq = self.model.front.norm(extract.features(_seq(extract.unpadded(samples))))
        return features.data

    def _conv(self, layer: Any) -> Callable[[Tensor], Tensor]:
        return lambda data: (
            layer.activate(
                _seq(layer.unpadded(data if data.dim() == 4 else data.unsqueeze(2)))
            ).data
        )

    def _recurrent(self, data: Tensor) -> Tensor:
        data, rnn = data.flatten(2), self.model.body.rnn
        layer: Any
        for index, (norm, layer) in enumerate(zip(rnn.norms, rnn.layers, strict=True)):
            data, self._states[index] = layer.forwards(norm(_seq(data)).data, self._states[index])
        return data

    def _scores(self, data: Tensor) -> Tensor:
        scores = self.model.body.head(_seq(data))
        return (scores if self.model.prior is None else self.model.prior(scores)).data


class Stream:
    """One utterance, recognised greedily as it is heard; `Recogniser.stream()` makes one.

    Of what has been written nothing is taken back: a later text begins with the earlier one, and only the last word may still grow.
    """

    def __init__(
        self, model: SpeechModel, tokenizer: Tokenizer, blank_penalty: float = 0.0
    ) -> None:
        self._logits, self._tokenizer, self._penalty = LogitsStream(model), tokenizer, blank_penalty
        self._tokens: list[int] = []
        self._frames: list[tuple[int, int]] = []
        self._settled: list[Word] = []  # all words but the last, which begins with token `_open`
        self._open, self._count, self._score, self._ended = 0, 0, 0.0, False

    @property
    def rate_hz(self) -> int:
        """The sample rate that `feed` expects."""
        return self._logits.model.rate_hz

    @property
    def latency_s(self) -> float:
        """Algorithmic latency: a frame that stands for the sound from time t on is known once the sound up to t + latency_s is."""
        return self._logits.model.latency_s

    @property
    def final_words(self) -> tuple[Word, ...]:
        """The words that cannot change any more; before the end, all but the last one."""
        return (*self._settled, *self._words()) if self._ended else tuple(self._settled)

    def feed(self, samples: Tensor) -> Hypothesis:
        """The hypothesis so far, after samples [N] more (float, -1..1, at `rate_hz`; N may be 0); RuntimeError after `finish`."""
        if samples.dim() != 1 or not bool(torch.isfinite(samples).all()):
            raise ValueError(
                f"expected finite samples [N], one channel, at {self.rate_hz} Hz; got {tuple(samples.shape)}"
            )
        return self._take(samples, last=False)

    def finish(self) -> Hypothesis:
        """The hypothesis of all that was fed, as `Recogniser.transcribe` has it; the stream is over."""
        return self._take(torch.zeros(0), last=True)

    def _take(self, samples: Tensor, last: bool) -> Hypothesis:
        if self._ended:
            raise RuntimeError(
                "this stream has ended with finish(); Recogniser.stream() begins another"
            )
        self._ended = last
        logits = self._logits(samples.to(self._logits.model.device, torch.float32), last)
        blank = self._tokenizer.blank
        (found,) = greedy(penalised(logits, blank, self._penalty)[None], [logits.shape[0]], blank)
        self._score += found.score
        for token, (first, end) in zip(found.tokens, found.frames, strict=True):
            first, end = first + self._count, end + self._count
            if (
                first == self._count
                and self._tokens
                and self._tokens[-1] == token
                and self._frames[-1][1] == first
            ):
                self._frames[-1] = self._frames[-1][0], end  # the same run of frames, cut in two
                continue
            if self._tokenizer.symbol(token).startswith("_"):
                self._settled += self._words()
                self._open = len(self._tokens)
            self._tokens.append(token)
            self._frames.append((first, end))
        self._count += logits.shape[0]
        text = " ".join(
            [
                *(word.text for word in self._settled),
                self._tokenizer.decode(self._tokens[self._open :]),
            ]
        ).rstrip()
        return Hypothesis(text, (*self._settled, *self._words()), tuple(self._tokens), self._score)

    def _words(self) -> tuple[Word, ...]:
        return words_of(
            self._tokenizer,
            self._tokens[self._open :],
            self._frames[self._open :],
            self._logits.model.frame_s,
        )


def _seq(data: Tensor) -> Seq:
    """One row without padding; no clock is asked for here."""
    return Seq(data, (data.shape[1],), Fraction(1))
