"""How many multiply-adds a module costs, by its type and the shapes that it sees."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import nn

from ctcasr.front import Mel, Spectrogram, Unnormalised, UtteranceNorm
from ctcasr.net import CumulativeNorm, Dropout, GlobalNorm, LabelPrior, Product, SequenceBatchNorm
from ctcasr.video import FrameNorm, RawFrames, ToClock

Shape = tuple[int, ...]
Modules = tuple[type[nn.Module], ...]


@dataclass(frozen=True)
class Cost:
    """Multiply-adds of one call; those of Fourier transforms by themselves."""

    macs: int = 0
    fft: int = 0


@dataclass(frozen=True)
class Call:
    """One call of a module: the shapes that went in and that came out."""

    module: Any
    inputs: Sequence[Shape]
    outputs: Sequence[Shape]

    @property
    def elements_in(self) -> int:
        """Of the first input."""
        return math.prod(self.inputs[0])

    @property
    def elements_out(self) -> int:
        """Of the first output."""
        return math.prod(self.outputs[0])


Rule = Callable[[Call], Cost]
Rules = Mapping[type[nn.Module], Rule]


@dataclass(frozen=True)
class RuleSet:
    """What is counted.

    `whole` for modules whose inside is not looked into, `beside` for what a module does beside its
    children.
    """

    name: str
    explanation: str
    whole: Rules
    beside: Rules = field(default_factory=dict)
    subclasses: bool = True  # a rule holds for subclasses too
    strict: bool = True  # modules without a rule are told

    def find(self, module: nn.Module, rules: Rules) -> Rule | None:
        """The rule for a module, that of the nearest class."""
        kinds = type(module).__mro__ if self.subclasses else (type(module),)
        for kind in kinds:
            if kind in rules:
                return rules[kind]
        return None


def nothing(call: Call) -> Cost:
    """Element by element: no multiply-adds of a filter."""
    return Cost()


def per_output(factor: int) -> Rule:
    """`factor` for each element that comes out."""
    return lambda call: Cost(factor * call.elements_out)


def per_input(factor: int) -> Rule:
    """`factor` for each element that goes in."""
    return lambda call: Cost(factor * call.elements_in)


def taps(module: Any) -> int:
    """Of one filter of a convolution."""
    return math.prod(module.kernel_size)


def conv(call: Call) -> Cost:
    """Each output element takes every tap of its filter, those on zero padding too."""
    module = call.module
    return Cost(call.elements_out * module.in_channels // module.groups * taps(module))


def transposed(call: Call) -> Cost:
    """Each input element is spread by every tap of its filters."""
    module = call.module
    return Cost(call.elements_in * module.out_channels // module.groups * taps(module))


def transposed_by_output(call: Call) -> Cost:
    """As if each output element took every tap: too much by the stride."""
    return conv(call)


def linear(call: Call) -> Cost:
    """A matrix for each position."""
    return Cost(call.elements_out * call.module.in_features)


def recurrent(call: Call) -> Cost:
    """Every gate of every layer and direction, from the input and from the state, at each step."""
    module = call.module
    gates = {"LSTM": 4, "GRU": 3}.get(module.mode, 1)
    directions = 2 if module.bidirectional else 1
    hidden = module.hidden_size
    fed_back = module.proj_size or hidden
    inputs = module.input_size
    macs_per_step = 0
    for _ in range(module.num_layers):
        of_gates = gates * hidden * (inputs + fed_back)
        of_projection = hidden * module.proj_size
        macs_per_step += directions * (of_gates + of_projection)
        inputs = directions * fed_back
    steps = call.elements_in // module.input_size
    return Cost(steps * macs_per_step)


def cell(call: Call) -> Cost:
    """One step of a recurrent layer."""
    module = call.module
    gate_outputs = module.weight_ih.shape[0]
    rows = call.elements_in // module.input_size
    return Cost(rows * gate_outputs * (module.input_size + module.hidden_size))


def attention(call: Call) -> Cost:
    """Four projections, scores, and the weighted sum (nn.MultiheadAttention)."""
    module = call.module
    query = call.inputs[0]
    key = call.inputs[1]
    time = -2 if module.batch_first or len(query) == 2 else 0
    width = module.embed_dim
    queries = query[time]
    keys = key[time]
    rows = math.prod(query) // (queries * width)
    of_queries_and_output = 2 * queries * width * width
    of_keys_and_values = keys * (module.kdim + module.vdim) * width
    of_scores_and_sum = 2 * queries * keys * width
    return Cost(rows * (of_queries_and_output + of_keys_and_values + of_scores_and_sum))


def spectrogram(call: Call) -> Cost:
    """One real transform per frame; mel filters as the matrix that they are."""
    frames = math.prod(call.outputs[0][:-1])
    return Cost(frames * mel_macs(call.module), frames * transform_macs(call.module.n_fft))


def masking(call: Call) -> Cost:
    """Transform and its inverse, mel filters there and back."""
    extract = call.module.front.extract
    *batch, samples = call.inputs[0]
    padded = samples + extract.n_fft // 2
    frames = math.prod(batch) * extract.framing.count(padded)
    return Cost(2 * frames * mel_macs(extract), 2 * frames * transform_macs(extract.n_fft))


def corpus_norm(call: Call) -> Cost:
    """Whitening is a matrix for each frame."""
    return Cost(call.elements_out * call.module.bins if call.module.whitening else 0)


def transform_macs(size: int) -> int:
    """Multiply-adds of a real Fourier transform of `size` points.

    n log2 n, half of the complex radix-2 count.

    Example:
        >>> transform_macs(512)
        4608
    """
    return round(size * math.log2(size))


def mel_macs(extract: Spectrogram) -> int:
    """Multiply-adds of the mel filters of one frame; 0 without any."""
    return (extract.n_fft // 2 + 1) * extract.bins if isinstance(extract, Mel) else 0


CONVS: Modules = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
TRANSPOSED: Modules = (
    nn.ConvTranspose1d,
    nn.ConvTranspose2d,
    nn.ConvTranspose3d,
)
RECURRENT: Modules = (nn.LSTM, nn.GRU, nn.RNN)
BATCH_NORMS: Modules = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
NORMS: Modules = (
    *BATCH_NORMS,
    nn.LayerNorm,
    nn.GroupNorm,
    nn.InstanceNorm1d,
    nn.InstanceNorm2d,
    SequenceBatchNorm,
    GlobalNorm,
    CumulativeNorm,
)
ADAPTIVE: Modules = (
    nn.AdaptiveAvgPool1d,
    nn.AdaptiveAvgPool2d,
    nn.AdaptiveAvgPool3d,
)
AVERAGES: Modules = (nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d)
ACTIVATIONS: Modules = (
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
SHAPES: Modules = (
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
OURS: Modules = (
    Dropout,
    FrameNorm,
    RawFrames,
    Product,
    ToClock,
    UtteranceNorm,
    Unnormalised,
    LabelPrior,
)
