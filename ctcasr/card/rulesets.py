"""Three ways to count: ours, and those of two tools whose numbers were published."""

from __future__ import annotations

from torch import nn

from ctcasr.card import rules
from ctcasr.card.rules import Call, Cost, Rule, RuleSet
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


def thop_lstm(call: Call) -> Cost:
    """Per gate the two matrices, both biases and the sum, and four times the state for the cell."""
    return _thop(call, gates=4, states=4)


def thop_gru(call: Call) -> Cost:
    """Two gates, the candidate with its reset, and the new state."""
    return _thop(call, gates=3, states=4)


def thop_rnn(call: Call) -> Cost:
    """One gate."""
    return _thop(call, gates=1, states=0)


def _thop(call: Call, gates: int, states: int) -> Cost:
    """Gates with their biases and sums, and `states` products of the state, at each step."""
    module = call.module
    directions = 2 if module.bidirectional else 1
    hidden = module.hidden_size
    inputs = module.input_size
    per_step = 0
    for _ in range(module.num_layers):
        matrices = (inputs + hidden) * hidden
        biases = 2 * hidden if module.bias else 0
        per_step += directions * (gates * (matrices + biases + hidden) + states * hidden)
        inputs = directions * hidden
    steps = call.elements_in // int(module.input_size)
    return Cost(steps * per_step)


def thop_adaptive(call: Call) -> Cost:
    """For each output the elements that are averaged, and one for the division."""
    averaged = 1
    for size_in, size_out in zip(call.inputs[0][2:], call.outputs[0][2:], strict=True):
        averaged *= size_in // size_out
    return Cost(call.elements_out * (averaged + 1))


OWN = RuleSet(
    "own",
    "Multiply-adds of convolutions and transposed convolutions by taps (those on zero padding "
    "count), linear layers, every gate and direction of recurrent layers, attention, mel "
    "filters and whitening. Fourier transforms stand by themselves (n log2 n for n real "
    "points). Normalisation, activations, pooling, resizing and products of two signals are "
    "element by element and are not counted.",
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
    "As torchprofile 0.0.4 counts: recurrent layers are nothing to it (their operator is not "
    "in its list), a transposed convolution is counted by its output length, which is too "
    "much by the stride, and one is added for each element that a normalisation, an average "
    "or a product gives, four for each that a two-dimensional bilinear resize gives. Products "
    "of sizes inside the traced program add a few units more.",
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
    "As thop counts: by the exact type of a module, so that a subclass (the decoder of the "
    "learnt filter bank) is nothing to it. BatchNorm costs four for each element, PReLU one, "
    "an adaptive average the elements averaged and one more; GroupNorm is unknown to it. "
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

RULESETS = {ruleset.name: ruleset for ruleset in (OWN, TORCHPROFILE, THOP)}
