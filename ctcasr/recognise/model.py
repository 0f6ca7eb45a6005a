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
    StateHeads,
)
from ctcasr.seq import Framing, Seq
from ctcasr.specs import NetSpec
from ctcasr.video import LipAugment, LipFront, LipTrunk, VisualTrunk

Augmentation = SpecAugment | LipAugment  # of what is heard, of what is seen
Trunk = ConvStack | LipTrunk | VisualTrunk  # convolutions in front of the recurrent layers


class SpeechModel(nn.Module):
    """Front-end and acoustic model: samples [B, N] to logits [B, T, symbols].

    A lip reader takes grey frames [B, T, H, W], 0..255, wherever others take samples.
    """

    def __init__(
        self, front: FrontEnd | LipFront, body: AcousticModel, prior: LabelPrior | None = None
    ) -> None:
        super().__init__()
        self.front = front
        self.body = body
        self.prior = prior
        self.states: StateHeads | None = None

    @property
    def rate_hz(self) -> int:
        """The sample rate inside; of a lip reader, frames of video a second."""
        if isinstance(self.front, LipFront):
            return self.front.rate_hz
        return self.front.extract.rate_hz

    @property
    def sees(self) -> bool:
        """True where it reads lips, not sound."""
        return isinstance(self.front, LipFront)

    @property
    def symbols(self) -> int:
        """How many scores each frame has."""
        return self.body.head.output.out_features

    @property
    def device(self) -> torch.device:
        """Where the network is."""
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
        """Seconds of sound that a frame waits for, from the beginning of what it stands for.

        With an RNN of two directions it waits for all.
        """
        return (self.framing.size - self.framing.before) / self.rate_hz

    def forward(
        self, samples: Seq, augment: Augmentation | None = None, seeds: tuple[int, ...] = ()
    ) -> Seq:
        """Logits [B, T, symbols] of samples [B, N]; in evaluation with label priors taken off."""
        logits = self.body(self.front(samples, augment, seeds))
        if self.prior is None or self.training:
            return logits
        return self.prior(logits)

    def hidden(
        self, samples: Seq, augment: Augmentation | None = None, seeds: tuple[int, ...] = ()
    ) -> Seq:
        """What the last layer sees [B, T, D] of samples [B, N]: for a loss without logits."""
        return self.body.hidden(self.front(samples, augment, seeds))

    def learn_states(self, count: int) -> None:
        """From now on it also tells which of so many states of an aligner a frame shows."""
        self.states = None
        if count:
            self.states = StateHeads(self.body.conv.features, self.body.rnn.features, count)

    def with_states(
        self, samples: Seq, augment: Augmentation | None = None, seeds: tuple[int, ...] = ()
    ) -> tuple[Seq, tuple[Seq, Seq]]:
        """Logits [B, T, symbols] of samples [B, N], and what `StateHeads` say [B, T, states]."""
        assert self.states is not None, "a network of no states has no heads for them"
        convolved, frames = self.body.layers(self.front(samples, augment, seeds))
        return self.body.head(frames), self.states(convolved, frames)


def build(spec: NetSpec, symbols: int) -> SpeechModel:
    """The network that `spec` describes, with `symbols` outputs.

    Raises ValueError where the spec describes none.

    Example:
        >>> model = build(NetSpec(layers=1, hidden=8), symbols=38)
        >>> model(Seq.stack([torch.zeros(16000)], 16000)).data.shape
        torch.Size([1, 101, 38])
    """
    model = _lip_reader(spec, symbols) if spec.sees else _listener(spec, symbols)
    model.learn_states(spec.states)
    return model


def _listener(spec: NetSpec, symbols: int) -> SpeechModel:
    """A network that hears."""
    extract = build_extract(spec.front)
    front = FrontEnd(extract, build_norm(spec.front, extract.bins))
    conv = _conv(spec, extract.bins)
    return SpeechModel(front, _body(spec, conv, symbols), _prior(spec, symbols))


def _lip_reader(spec: NetSpec, symbols: int) -> SpeechModel:
    """A network that reads lips."""
    if spec.conv or spec.front.rate_hz != LipFront.rate_hz:
        raise ValueError(
            f"a front-end of the kind 'lips' has {LipFront.rate_hz} frames a second and its own "
            f"convolutions (lips.channels): expected front.rate_hz = {LipFront.rate_hz} and no "
            f"conv; got {spec.front.rate_hz} and {len(spec.conv)} layers"
        )
    trunk: LipTrunk | VisualTrunk
    if spec.lips.convs:
        trunk = VisualTrunk(spec.lips.convs, spec.lips.features, spec.lips.causal)
    else:
        trunk = LipTrunk(spec.lips)
    body = _body(spec, trunk, symbols)
    return SpeechModel(LipFront(spec.lips), body, _prior(spec, symbols))


def _body(spec: NetSpec, conv: Trunk, symbols: int) -> AcousticModel:
    """What follows the front-end."""
    rnn = RecurrentStack(
        spec.rnn,
        conv.features,
        spec.hidden,
        spec.layers,
        spec.bidirectional,
        spec.rnn_norm,
        spec.dropout,
    )
    lookahead = None
    if spec.lookahead:
        lookahead = Lookahead(rnn.features, spec.lookahead)
    head = Head(rnn.features, spec.fc, symbols, spec.fc_norm, spec.clip)
    if spec.blank_start is not None:
        head.start_blank(spec.blank_start)
    return AcousticModel(conv, rnn, head, lookahead)


def _prior(spec: NetSpec, symbols: int) -> LabelPrior | None:
    """Running label priors, where they are asked for."""
    if not spec.prior_weight:
        return None
    return LabelPrior(symbols, spec.prior_weight)


def _conv(spec: NetSpec, bins: int) -> ConvStack:
    """Conv layers, each on what the one before it gives."""
    layers: list[ConvLayer] = []
    layer_channels = 1
    layer_bins = bins
    for conv in spec.conv:
        layer = ConvLayer(
            layer_channels, conv.channels, layer_bins, conv.kernel, conv.stride, spec.clip
        )
        layers.append(layer)
        layer_channels = layer.channels
        layer_bins = layer.bins
    return ConvStack(layers, bins)
