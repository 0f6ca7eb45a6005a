"""Recognition while the sound is still coming: chunks in, the words so far out.

What comes out in the end is what comes of the whole.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from ctcasr.ctc import greedy, penalised
from ctcasr.data.samples import Mixdown, as_frames
from ctcasr.decoding.hypothesis import Hypothesis, Word, words_of
from ctcasr.front import FrontEnd
from ctcasr.net import ConvLayer, ConvStack
from ctcasr.recognise.model import SpeechModel
from ctcasr.seq import IDENTITY, Framing, Seq
from ctcasr.text import Tokenizer
from ctcasr.video import LipFront


def obstacles(model: SpeechModel) -> list[str]:
    """Why a network must hear the end before it can write the beginning.

    Each with what to change in its spec; empty: it can stream.
    """
    if isinstance(model.front, LipFront):
        return ["it reads lips, frame by frame from a file: sound alone is heard in pieces"]
    reasons = []
    layers: Any = model.body.rnn.layers
    if any(layer.backwards is not None for layer in layers):
        reasons.append("its RNN reads in both directions (bidirectional = false reads in one)")
    if model.front.norm.by_utterance:
        reasons.append(
            "its features are normalised by statistics of the whole utterance "
            '(front.norm = "corpus" takes those of the corpus)'
        )
    if model.front.extract.range_db:
        reasons.append(
            "its features are relative to the loudest point of the clip "
            "(front.range_db = 0 takes them as they are)"
        )
    if model.front.extract.floor_db:
        reasons.append(
            "its features are relative to the mean of the whole utterance "
            "(front.floor_db = 0 takes them as they are)"
        )
    return reasons


class Stage:
    """One step of the network, given its inputs piece by piece.

    `work` makes frames of whole windows; inputs that later windows need are held.
    """

    def __init__(self, framing: Framing, work: Callable[[Tensor], Tensor]) -> None:
        self.framing = framing
        self.work = work
        self._held: Tensor | None = None
        # Inputs to come that no frame sees (where the hop is longer than the window).
        self._unseen = 0

    def __call__(self, data: Tensor | None, last: bool) -> Tensor | None:
        """Frames [1, T', ...] that are complete with inputs [1, T, ...], None for none.

        `last`: nothing follows but zeros.
        """
        if data is not None:
            self._hold(data)
        if self._held is None:
            return None
        if last:
            self._hold(_zeros_like(self._held, self.framing.after))
        ready = self._held[:, self._unseen :]
        hop = self.framing.hop
        count = (ready.shape[1] - self.framing.size) // hop + 1
        if count < 1:
            return None
        seen = (count - 1) * hop + self.framing.size
        self._unseen = max(0, count * hop - ready.shape[1])
        self._held = ready[:, count * hop :].clone()
        return self.work(ready[:, :seen])

    def _hold(self, data: Tensor) -> None:
        if self._held is None:
            self._held = _zeros_like(data, self.framing.before)
        self._held = torch.cat((self._held, data), 1)


def _zeros_like(data: Tensor, count: int) -> Tensor:
    return data.new_zeros(1, count, *data.shape[2:])


class LogitsStream:
    """The network on samples that come piece by piece; ValueError where it cannot stream."""

    def __init__(self, model: SpeechModel) -> None:
        reasons = obstacles(model)
        if reasons:
            raise ValueError(
                f"this network cannot stream: {'; '.join(reasons)}. "
                "Train one that can: ctcasr train recognise --net streaming"
            )
        self.model = model
        conv = model.body.conv
        assert isinstance(conv, ConvStack)
        layers: Any = conv.layers
        lookahead = model.body.lookahead
        self._states: list[Any] = [None] * len(model.body.rnn.layers)
        self._stages = [Stage(model.front.framing, self._features)]
        for layer in layers:
            self._stages.append(Stage(layer.framing, _conv_work(layer)))
        self._stages.append(Stage(IDENTITY, self._recurrent))
        if lookahead is not None:
            self._stages.append(Stage(lookahead.framing, lookahead.unpadded))
        self._stages.append(Stage(IDENTITY, self._scores))

    @torch.no_grad()
    def __call__(self, samples: Tensor, last: bool = False) -> Tensor:
        """Logits [T, symbols] that samples [N] complete; with `last`, all that remain."""
        data = samples[None] if samples.shape[0] else None
        for stage in self._stages:
            data = stage(data, last)
        if data is None:
            return samples.new_zeros(0, self.model.symbols)
        return data[0]

    def _features(self, samples: Tensor) -> Tensor:
        front = self.model.front
        assert isinstance(front, FrontEnd)
        extract = front.extract
        spectrum = _seq(extract.unpadded(samples))
        features: Seq = front.norm(extract.features(spectrum))
        return features.data

    def _recurrent(self, data: Tensor) -> Tensor:
        data = data.flatten(2)
        rnn = self.model.body.rnn
        layers: Any = rnn.layers
        for index, (norm, layer) in enumerate(zip(rnn.norms, layers, strict=True)):
            normed = norm(_seq(data)).data
            data, self._states[index] = layer.forwards(normed, self._states[index])
        return data

    def _scores(self, data: Tensor) -> Tensor:
        scores = self.model.body.head(_seq(data))
        if self.model.prior is not None:
            scores = self.model.prior(scores)
        return scores.data


def _conv_work(layer: ConvLayer) -> Callable[[Tensor], Tensor]:
    """What a conv layer makes of [1, T, F] (the first) or [1, T, C, F]."""

    def work(data: Tensor) -> Tensor:
        if data.dim() == 3:
            data = data.unsqueeze(2)
        return layer.activate(_seq(layer.unpadded(data))).data

    return work


@dataclass
class Written:
    """Symbols written so far, and the words that they make.

    All words but the last are settled; the last, which begins with token number `opened`, may
    still grow.
    """

    tokenizer: Tokenizer
    frame_s: float
    tokens: list[int] = field(default_factory=list)
    frames: list[tuple[int, int]] = field(default_factory=list)  # first, one past the last
    settled: list[Word] = field(default_factory=list)
    opened: int = 0

    def write(self, token: int, first: int, end: int, joins: bool) -> None:
        """One more symbol; where it `joins`, the same one in the frame before is one with it."""
        if joins and self._goes_on(token, first):
            self.frames[-1] = (self.frames[-1][0], end)
            return
        if self.tokenizer.symbol(token).startswith("_"):
            self.settled += self.open_words()
            self.opened = len(self.tokens)
        self.tokens.append(token)
        self.frames.append((first, end))

    def _goes_on(self, token: int, first: int) -> bool:
        if not self.tokens or self.tokens[-1] != token:
            return False
        _, end = self.frames[-1]
        return end == first

    def open_words(self) -> tuple[Word, ...]:
        """The word that may still grow; none, or one."""
        tokens = self.tokens[self.opened :]
        return words_of(self.tokenizer, tokens, self.frames[self.opened :], self.frame_s)

    def hypothesis(self, score: float) -> Hypothesis:
        """All that was written."""
        texts = [word.text for word in self.settled]
        texts.append(self.tokenizer.decode(self.tokens[self.opened :]))
        words = (*self.settled, *self.open_words())
        return Hypothesis(" ".join(texts).rstrip(), words, tuple(self.tokens), score)


class Stream:
    """One utterance, recognised greedily as it is heard; `Recogniser.stream()` makes one.

    Of what has been written nothing is taken back: a later text begins with the earlier one, and
    only the last word may still grow.

    Example:
        >>> from ctcasr.recognise.model import build
        >>> from ctcasr.recognise.spec import read_spec
        >>> from ctcasr.text import Alphabet
        >>> model = build(read_spec("streaming hidden=8 front.norm=none"), 4).eval()
        >>> stream = Stream(model, Alphabet("ab "))
        >>> partial = stream.feed(torch.zeros(1600)).text
        >>> stream.finish().text.startswith(partial)
        True
    """

    def __init__(
        self, model: SpeechModel, tokenizer: Tokenizer, blank_penalty: float = 0.0
    ) -> None:
        self._model = model
        self._logits = LogitsStream(model)
        self._blank = tokenizer.blank
        self._penalty = blank_penalty
        self._written = Written(tokenizer, model.frame_s)
        self._mix = Mixdown("chunk")
        self._samples = 0  # fed so far
        self._frames = 0  # of logits so far
        self._score = 0.0
        self._final: Hypothesis | None = None  # once it has ended

    @property
    def rate_hz(self) -> int:
        """The sample rate that `feed` expects."""
        return self._model.rate_hz

    @property
    def latency_s(self) -> float:
        """Algorithmic latency, in seconds.

        A frame that stands for the sound from time t on is known once the sound up to
        t + latency_s is.
        """
        return self._model.latency_s

    @property
    def final_words(self) -> tuple[Word, ...]:
        """The words that cannot change any more; before the end, all but the last one."""
        if self._final is not None:
            return self._final.words
        return tuple(self._written.settled)

    def feed(self, samples: Tensor | NDArray[Any]) -> Hypothesis:
        """The hypothesis so far, after samples more, at `rate_hz`; there may be none.

        Samples are a tensor or a numpy array, [N] or [channels, N], floats of -1..1 or integers.
        Raises AudioError for samples that cannot be sound, RuntimeError after `finish`.
        """
        if 0 in getattr(samples, "shape", ()):
            return self._take(torch.zeros(0), last=False)
        frames = as_frames(samples, self.rate_hz, self._mix.name, is_chunk=True)
        return self._take(self._mix.add(frames), last=False)

    def finish(self) -> Hypothesis:
        """The hypothesis of all that was fed, as `Recogniser.transcribe` has it.

        But for word models, which need the whole sound: times are those of the symbols' frames, and
        there are no confidences. The stream is over; raises RuntimeError where it is already,
        AudioError where the channels of all chunks have cancelled each other.
        """
        found = self._take(torch.zeros(0), last=True)
        self._final = found.within(self._samples / self.rate_hz)
        self._mix.check_phase()
        return self._final

    def _take(self, samples: Tensor, last: bool) -> Hypothesis:
        if self._final is not None:
            raise RuntimeError(
                "this stream has ended with finish(); Recogniser.stream() begins another"
            )
        self._samples += samples.shape[0]
        logits = self._logits(samples.to(self._model.device, torch.float32), last)
        scores = penalised(logits, self._blank, self._penalty)
        (decoded,) = greedy(scores[None], [logits.shape[0]], self._blank)
        self._score += decoded.score
        for token, (first, end) in zip(decoded.tokens, decoded.frames, strict=True):
            # A run of frames that the chunks have cut in two is one symbol.
            joins = first == 0
            self._written.write(token, first + self._frames, end + self._frames, joins)
        self._frames += logits.shape[0]
        return self._written.hypothesis(self._score)


def _seq(data: Tensor) -> Seq:
    """One row without padding; no clock is asked for here."""
    return Seq(data, (data.shape[1],), Fraction(1))
