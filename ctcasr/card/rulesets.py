"""Three ways to count: ours, and those of two tools whose numbers were published."""

from __future__ import annotations

import math
from typing import Any

from torch import nn

from ctcasr.card import rules
from ctcasr.card.rules import Cost, Rule, RuleSet, Shape
from ctcasr.enhance.model import MaskEnhancer
from ctcasr.front import CorpusNorm, Spectrogram
from ctcasr.net import Product
from ctcasr.video import ToClock

_SAME: dict[type[nn.Module], Rule] = {
    **dict.fromkeys(rules.CONVS, rules.conv),
    nn.Linear: rules.linear,
}
_NOTHING = dict.fromkeys(
    (
        *rules.NORMS,
        *rules.ADAPTIVE,
        *rules.AVERAGES,
        *rules.ACTIVATIONS,
        *rules.SHAPES,
        *rules.OURS,
    ),
    rules.nothing,
)


def thop_lstm(module: Any, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> Cost:
    """Per gate the two matrices, both biases and the sum, and four times the state for the cell."""
    return Cost(
        _steps(module, inputs)
        * _layers(
            module, lambda size, hidden: 4 * (_gate(module, size, hidden) + hidden) + 4 * hidden
        )
    )


def thop_gru(module: Any, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> Cost:
    """Two gates, the candidate with its reset, and the new state."""
    return Cost(
        _steps(module, inputs)
        * _layers(
            module,
            lambda size, hidden: 3 * (_gate(module, size, hidden) + hidden) + hidden + 3 * hidden,
        )
    )


def thop_rnn(module: Any, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> Cost:
    """One gate."""
    return Cost(
        _steps(module, inputs)
        * _layers(module, lambda size, hidden: _gate(module, size, hidden) + hidden)
    )


def thop_adaptive(module: Any, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> Cost:
    """For each output the elements that are averaged, and one for the division."""
    given, left = inputs[0][2:], outputs[0][2:]
    return Cost(
        math.prod(outputs[0]) * (math.prod(a // b for a, b in zip(given, left, strict=True)) + 1)
    )


def _steps(module: Any, inputs: tuple[Shape, ...]) -> int:
    return math.prod(inputs[0]) // int(module.input_size)


def _gate(module: Any, size: int, hidden: int) -> int:
    return (size + hidden) * hidden + (2 * hidden if module.bias else 0)


def _layers(module: Any, one: Any) -> int:
    ways, total, size = 2 if module.bidirectional else 1, 0, module.input_size
    for _ in range(module.num_layers):
        total += ways * one(size, module.hidden_size)
        size = ways * module.hidden_size
    return total


OWN = RuleSet(
    "own",
    "Multiply-adds of convolutions and transposed convolutions by taps (those on zero padding count), linear layers, every gate and "
    "direction of recurrent layers, attention, mel filters and whitening. Fourier transforms stand by themselves (n log2 n for n real "
    "points). Normalisation, activations, pooling, resizing and products of two signals are element by element and are not counted.",
    {
        **_NOTHING,
        **_SAME,
        **dict.fromkeys(rules.TRANSPOSED, rules.transposed),
        **dict.fromkeys(rules.RECURRENT, rules.recurrent),
        nn.LSTMCell: rules.cell,
        nn.GRUCell: rules.cell,
        nn.RNNCell: rules.cell,
        nn.MultiheadAttention: rules.attention,
        Spectrogram: rules.spectrogram,
        CorpusNorm: rules.corpus_norm,
    },
    {MaskEnhancer: rules.masking},
)

TORCHPROFILE = RuleSet(
    "torchprofile-0.0.4",
    "As torchprofile 0.0.4 counts: recurrent layers are nothing to it (their operator is not in its list), a transposed convolution is "
    "counted by its output length, which is too much by the stride, and one is added for each element that a normalisation, an average or "
    "a product gives, four for each that a two-dimensional bilinear resize gives. Products of sizes inside the traced program "
    "add a few units more.",
    {
        **_NOTHING,
        **_SAME,
        **dict.fromkeys(rules.TRANSPOSED, rules.transposed_by_output),
        **dict.fromkeys(
            (*rules.NORMS, *rules.ADAPTIVE, *rules.AVERAGES, Product), rules.per_output(1)
        ),
        ToClock: rules.per_output(4),
    },
    strict=False,
)

THOP = RuleSet(
    "thop",
    "As thop counts: by the exact type of a module, so that a subclass (the decoder of the learnt filter bank) is nothing to it. "
    "BatchNorm costs four for each element, PReLU one, an adaptive average the elements averaged and one more; GroupNorm is unknown to it. "
    "Recurrent layers are counted with biases and the products of the cell.",
    {
        **_SAME,
        **dict.fromkeys(rules.TRANSPOSED, rules.transposed),
        nn.LSTM: thop_lstm,
        nn.GRU: thop_gru,
        nn.RNN: thop_rnn,
        **dict.fromkeys(
            (*rules.BATCH_NORMS, nn.LayerNorm, nn.InstanceNorm1d, nn.InstanceNorm2d),
            rules.per_input(4),
        ),
        nn.PReLU: rules.per_input(1),
        **dict.fromkeys(rules.ADAPTIVE, thop_adaptive),
        **dict.fromkeys(rules.AVERAGES, rules.per_output(1)),
    },
    subclasses=False,
    strict=False,
)

RULESETS = {rules.name: rules for rules in (OWN, TORCHPROFILE, THOP)}
