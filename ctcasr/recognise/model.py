"""Composition root: a spec becomes a network; the one module that knows every concrete part."""

from __future__ import annotations

from functools import reduce

import torch
from torch import nn

from ctcasr.front import (
    FrontEnd,
    SpecAugment,
    build_extract,
    build_norm,
)
from ctcasr.net import (
    AcousticModel,
    ConvLayer,
    ConvStack,
    Head,
    LabelPrior,
    Lookahead,
    RecurrentStack,
)
from ctcasr.seq import Framing, Seq
from ctcasr.specs import NetSpec


class SpeechModel(nn.Module):
    """Front-end and acoustic model: samples [B, N] to logits [B, T, symbols]."""

    def __init__(
        self, front: FrontEnd, body: AcousticModel, prior: LabelPrior | None = None
    ) -> None:
        super().__init__()
        self.front, self.body, self.prior = front, body, prior

    @property
    def rate_hz(self) -> int:
        """The sample rate inside."""
        return self.front.extract.rate_hz

    @property
    def device(self) -> torch.device:
        return next(self.parameters()).device

    @property
    def framing(self) -> Framing:
        """Which samples each frame of logits sees, recurrence aside."""
        return reduce(Framing.then, self.body.framings, self.front.framing)

    def frames(self, samples: int) -> int:
        """Frames of logits that so many samples give."""
        count = self.front.framing.count(samples)
        for framing in self.body.framings:
            count = framing.count(count)
        return count

    @property
    def frame_s(self) -> float:
        """Seconds from one frame of logits to the next."""
        return self.framing.hop / self.rate_hz

    @property
    def latency_s(self) -> float:
        """Seconds of sound that a frame waits for, from the beginning of what it stands for; with two directions it waits for all."""
        return (self.framing.size - self.framing.before) / self.rate_hz

    def forward(
        self, samples: Seq, augment: SpecAugment | None = None, seeds: tuple[int, ...] = ()
    ) -> Seq:
        """Logits [B, T, symbols] of samples [B, N]; in evaluation with the label priors, if any, taken off."""
        logits = self.body(self.front(samples, augment, seeds))
        return logits if self.prior is None or self.training else self.prior(logits)


def build(spec: NetSpec, symbols: int) -> SpeechModel:
    """The network that `spec` describes, with `symbols` outputs."""
    extract = build_extract(spec.front)
    layers: list[ConvLayer] = []
    channels, bins = 1, extract.bins
    for conv in spec.conv:
        layers.append(ConvLayer(channels, conv.channels, bins, conv.kernel, conv.stride, spec.clip))
        channels, bins = layers[-1].channels, layers[-1].bins
    stack = ConvStack(layers, extract.bins)
    rnn = RecurrentStack(
        spec.rnn,
        stack.features,
        spec.hidden,
        spec.layers,
        spec.bidirectional,
        spec.rnn_norm,
        spec.dropout,
    )
    lookahead = Lookahead(rnn.features, spec.lookahead) if spec.lookahead else None
    head = Head(rnn.features, spec.fc, symbols, spec.fc_norm, spec.clip)
    if spec.blank_start is not None:
        head.start_blank(spec.blank_start)
    prior = LabelPrior(symbols, spec.prior_weight) if spec.prior_weight else None
    return SpeechModel(
        FrontEnd(extract, build_norm(spec.front, extract.bins)),
        AcousticModel(stack, rnn, head, lookahead),
        prior,
    )
