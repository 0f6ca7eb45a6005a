"""How many multiply-adds a module costs, by its type and the shapes that it sees."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import nn

from ctcasr.front import Mel, Spectrogram, Unnormalised, UtteranceNorm
from ctcasr.net import CumulativeNorm, Dropout, GlobalNorm, LabelPrior, Product, SequenceBatchNorm
from ctcasr.video import ToClock

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Cost:
    """Multiply-adds of one call; those of Fourier transforms by themselves."""

    macs: int = 0
    fft: int = 0


Rule = Callable[
    [Any, tuple[Shape, ...], tuple[Shape, ...]], Cost
]  # module, shapes of its inputs and of its outputs


@dataclass(frozen=True)
class RuleSet:
    """What is counted: `whole` for modules whose inside is not looked into, `beside` for what a module does beside its children."""

    name: str
    explanation: str
    whole: Mapping[type[nn.Module], Rule]
    beside: Mapping[type[nn.Module], Rule] = field(default_factory=dict)
    subclasses: bool = True  # a rule holds for subclasses too
    strict: bool = True  # modules without a rule are told

    def find(self, module: nn.Module, rules: Mapping[type[nn.Module], Rule]) -> Rule | None:
        """The rule for a module, that of the nearest class."""
        for kind in type(module).__mro__ if self.subclasses else (type(module),):
            if kind in rules:
                return rules[kind]
        return None


def nothing(module: Any, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> Cost:
    """Element by element: no multiply-adds of a filter."""
    return Cost()


def per_output(factor: int) -> Rule:
    """`factor` for each element that comes out."""
    return lambda module, inputs, outputs: Cost(factor * math.prod(outputs[0]))


def per_input(factor: int) -> Rule:
    """`factor` for each element that goes in."""
    return lambda module, inputs, outputs: Cost(factor * math.prod(inputs[0]))


def conv(module: Any, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> Cost:
    """Each output element takes every tap of its filter, those on zero padding too."""
    return Cost(
        math.prod(outputs[0]) * module.in_channels // module.groups * math.prod(module.kernel_size)
    )


def transposed(module: Any, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> Cost:
    """Each input element is spread by every tap of its filters."""
    return Cost(
        math.prod(inputs[0]) * module.out_channels // module.groups * math.prod(module.kernel_size)
    )


def transposed_by_output(
    module: Any, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]
) -> Cost:
    """As if each output element took every tap: too much by the stride."""
    return Cost(
        math.prod(outputs[0]) * module.in_channels // module.groups * math.prod(module.kernel_size)
    )


def linear(module: Any, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> Cost:
    """A matrix for each position."""
    return Cost(math.prod(outputs[0]) * module.in_features)


def recurrent(module: Any, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> Cost:
    """Every gate of every layer and direction, from the input and from the state, at each step."""
    gates = {"LSTM": 4, "GRU": 3}.get(module.mode, 1)
    hidden, ways = module.hidden_size, 2 if module.bidirectional else 1
    back = module.proj_size or hidden
    size, step = module.input_size, 0
    for _ in range(module.num_layers):
        step += ways * (gates * hidden * (size + back) + hidden * module.proj_size)
        size = ways * back
    return Cost(math.prod(inputs[0]) // module.input_size * step)


def cell(module: Any, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> Cost:
    """One step of a recurrent layer."""
    gates = module.weight_ih.shape[0]
    return Cost(
        math.prod(inputs[0]) // module.input_size * gates * (module.input_size + module.hidden_size)
    )


def attention(module: Any, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> Cost:
    """Four projections, scores, and the weighted sum (nn.MultiheadAttention)."""
    query, key = inputs[0], inputs[1]
    time = -2 if module.batch_first or len(query) == 2 else 0
    wide, asked, known = module.embed_dim, query[time], key[time]
    rows = math.prod(query) // (asked * wide)
    return Cost(
        rows
        * (
            2 * asked * wide * wide
            + known * (module.kdim + module.vdim) * wide
            + 2 * asked * known * wide
        )
    )


def spectrogram(module: Any, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> Cost:
    """One real transform per frame, n log2 n by radix 2; mel filters as the matrix that they are."""
    frames = math.prod(outputs[0][:-1])
    return Cost(frames * _mel(module), frames * transform(module.n_fft))


def masking(module: Any, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> Cost:
    """Transform and its inverse, mel filters there and back."""
    extract = module.front.extract
    frames = math.prod(inputs[0][:-1]) * extract.framing.count(inputs[0][-1] + extract.n_fft // 2)
    return Cost(2 * frames * _mel(extract), 2 * frames * transform(extract.n_fft))


def corpus_norm(module: Any, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> Cost:
    """Whitening is a matrix for each frame."""
    return Cost(math.prod(outputs[0]) * module.bins if module.whitening else 0)


def transform(size: int) -> int:
    """Multiply-adds of a real Fourier transform of `size` points: n log2 n (half of the complex radix-2 count)."""
    return round(size * math.log2(size))


def _mel(extract: Spectrogram) -> int:
    return (extract.n_fft // 2 + 1) * extract.bins if isinstance(extract, Mel) else 0


CONVS: tuple[type[nn.Module], ...] = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
TRANSPOSED: tuple[type[nn.Module], ...] = (
    nn.ConvTranspose1d,
    nn.ConvTranspose2d,
    nn.ConvTranspose3d,
)
RECURRENT: tuple[type[nn.Module], ...] = (nn.LSTM, nn.GRU, nn.RNN)
BATCH_NORMS: tuple[type[nn.Module], ...] = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
NORMS: tuple[type[nn.Module], ...] = (
    *BATCH_NORMS,
    nn.LayerNorm,
    nn.GroupNorm,
    nn.InstanceNorm1d,
    nn.InstanceNorm2d,
    SequenceBatchNorm,
    GlobalNorm,
    CumulativeNorm,
)
ADAPTIVE: tuple[type[nn.Module], ...] = (
    nn.AdaptiveAvgPool1d,
    nn.AdaptiveAvgPool2d,
    nn.AdaptiveAvgPool3d,
)
AVERAGES: tuple[type[nn.Module], ...] = (nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d)
ACTIVATIONS: tuple[type[nn.Module], ...] = (
    nn.ReLU,
    nn.ReLU6,
    nn.PReLU,
    nn.LeakyReLU,
    nn.ELU,
    nn.GELU,
    nn.SiLU,
    nn.Hardtanh,
    nn.Hardswish,
    nn.Hardsigmoid,
    nn.Sigmoid,
    nn.Tanh,
    nn.Softmax,
    nn.LogSoftmax,
    nn.GLU,
)
SHAPES: tuple[type[nn.Module], ...] = (
    nn.Identity,
    nn.Flatten,
    nn.Unflatten,
    nn.Dropout,
    nn.Dropout1d,
    nn.Dropout2d,
    nn.MaxPool1d,
    nn.MaxPool2d,
    nn.MaxPool3d,
    nn.AdaptiveMaxPool1d,
    nn.AdaptiveMaxPool2d,
    nn.ZeroPad2d,
    nn.Upsample,
    nn.Embedding,
)
OURS: tuple[type[nn.Module], ...] = (
    Dropout,
    Product,
    ToClock,
    UtteranceNorm,
    Unnormalised,
    LabelPrior,
)
