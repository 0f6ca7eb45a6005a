"""The layers of a speech model as ONNX nodes; what they do to padding is what the modules do."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from ctcasr.export.graph import Graph
from ctcasr.front import CorpusNorm, Mel, Spectrogram, UtteranceNorm
from ctcasr.front.spectrogram import FLOOR
from ctcasr.net import ConvLayer, Lookahead, RecurrentLayer, SequenceBatchNorm
from ctcasr.recognise.model import SpeechModel
from ctcasr.seq import Framing

# torch keeps gates as input, forget, cell, output (LSTM) and reset, update, new (GRU); ONNX as i, o, f, c and z, r, h.
_GATES = {"LSTM": (0, 3, 1, 2), "GRU": (1, 0, 2), "RNN_TANH": (0,)}


class Padded(NamedTuple):
    """A value with lengths [B] (int64) and a mask [B, T] (bool), all by name."""

    data: str
    lengths: str
    mask: str


def speech(graph: Graph, model: SpeechModel, samples: str, lengths: str) -> tuple[str, str]:
    """Log-posteriors [B, T, C] and their lengths [B] of samples [B, N] with lengths [B]."""
    x = normalised(graph, model.front.norm, features(graph, model.front.extract, samples, lengths))
    layers: Any = model.body.conv.layers
    if layers:
        x = x._replace(data=graph("Unsqueeze", x.data, [1]))
        for layer in layers:
            x = conv(graph, layer, x)
        x = x._replace(
            data=graph("Reshape", graph("Transpose", x.data, perm=[0, 2, 1, 3]), [0, 0, -1])
        )
    steps, rows = (
        graph("Transpose", x.data, perm=[1, 0, 2]),
        graph("Cast", x.lengths, to=6),
    )  # int32 [B]
    rnns: Any = model.body.rnn.layers
    for norm, layer in zip(model.body.rnn.norms, rnns, strict=True):
        steps = recurrent(graph, layer, batchnorm(graph, norm, steps), rows)
    data = graph("Transpose", steps, perm=[1, 0, 2])
    if model.body.lookahead is not None:
        data = lookahead(graph, model.body.lookahead, x._replace(data=data))
    for index, (norm, linear) in enumerate(
        zip(model.body.head.norms, model.body.head.layers, strict=True)
    ):
        data = data if index == 0 else activation(graph, model.body.head.activation, data)
        data = graph(
            "Add", graph("MatMul", batchnorm(graph, norm, data), linear.weight.T), linear.bias
        )
    if model.prior is not None:
        data = graph("Sub", data, model.prior.weight * model.prior.log)
    return graph("LogSoftmax", data, axis=-1), x.lengths


def features(graph: Graph, extract: Spectrogram, samples: str, lengths: str) -> Padded:
    """Spectrogram or mel features: the transform is a product of the windows with the windowed cosines and sines."""
    clean = graph("Where", mask_of(graph, samples, lengths), samples, graph.constant(0.0))
    margin = (extract.n_fft - extract.win) // 2
    window = nn.functional.pad(
        extract.window.double().cpu(), (margin, extract.n_fft - extract.win - margin)
    ).numpy()
    inside = margin + np.arange(extract.win)  # the window is zero in the margins
    angle = (
        2
        * np.pi
        * ((inside[:, None] * np.arange(extract.n_fft // 2 + 1)) % extract.n_fft)
        / extract.n_fft
    )
    waves = window[inside, None] * np.concatenate((np.cos(angle), -np.sin(angle)), 1)
    frames = count(graph, extract.framing, graph("Shape", samples, start=1))
    starts = graph("Mul", graph("Range", 0, graph("Squeeze", frames), 1), extract.hop)
    padded = graph("Pad", clean, [0, extract.framing.before, 0, extract.framing.after])
    windows = graph(
        "Gather", padded, graph("Add", graph("Unsqueeze", starts, [1]), inside), axis=1
    )  # [B, T, win]
    parts = graph("MatMul", windows, waves)
    real, imaginary = graph("Split", graph("Mul", parts, parts), outputs=2, axis=2, num_outputs=2)
    level = graph("Add", real, imaginary)
    level = level if extract.power == 2.0 else graph("Sqrt", level)
    if isinstance(extract, Mel):
        level = graph("MatMul", level, extract.filters)
    lengths = count(graph, extract.framing, lengths)
    mask = mask_of(graph, level, lengths)
    if extract.log:
        level = graph("Log", graph("Add", level, FLOOR ** (extract.power / 2)))
    if extract.range_db:
        level = graph("Mul", level, 20 / (extract.power * math.log(10)))
        known = graph("Where", graph("Unsqueeze", mask, [2]), level, graph.constant(-1e9))
        level = graph("Sub", level, graph("ReduceMax", known, [1, 2], keepdims=1))
        level = graph("Max", level, -extract.range_db)
    return Padded(masked(graph, level, mask), lengths, mask)


def normalised(graph: Graph, norm: nn.Module, x: Padded) -> Padded:
    """Features by the statistics of the utterance or of the corpus."""
    if isinstance(norm, UtteranceNorm):
        frames = graph(
            "Cast", graph("Unsqueeze", graph("Max", x.lengths, 1), [1, 2]), to=1
        )  # float [B, 1, 1]
        mean = graph("Div", graph("ReduceSum", x.data, [1], keepdims=1), frames)
        centred = masked(graph, graph("Sub", x.data, mean), x.mask)
        variance = graph(
            "Div", graph("ReduceSum", graph("Mul", centred, centred), [1], keepdims=1), frames
        )
        return x._replace(data=graph("Div", centred, graph("Sqrt", graph("Add", variance, 1e-5))))
    if isinstance(norm, CorpusNorm):
        centred = graph("Sub", x.data, norm.mean)
        return x._replace(
            data=masked(
                graph, graph("MatMul" if norm.whitening else "Mul", centred, norm.matrix), x.mask
            )
        )
    return x


def conv(graph: Graph, layer: ConvLayer, x: Padded) -> Padded:
    """Conv layer on [B, C, T, F], with BatchNorm inside its weights."""
    scale, shift = scale_of(layer.norm)
    time, bins = (int(size) for size in layer.conv.padding)
    data = graph(
        "Conv",
        x.data,
        layer.conv.weight * scale[:, None, None, None],
        shift,
        strides=list(layer.conv.stride),
        pads=[time, bins, time, bins],
    )
    lengths = count(graph, layer.framing, x.lengths)
    mask = mask_of(graph, data, lengths, axis=2)
    return Padded(
        masked(graph, activation(graph, layer.activation, data), mask, [1, 3]), lengths, mask
    )


def recurrent(graph: Graph, layer: RecurrentLayer, steps: str, rows: str) -> str:
    """RNN layer on [T, B, F]; ONNX turns each row around by its own length, as the module does."""
    ways = [rnn for rnn in (layer.forwards, layer.backwards) if rnn is not None]
    kind, hidden = ways[0].mode, ways[0].hidden_size

    def stacked(name: str) -> Tensor:
        gates = [
            [part for part in rnn.get_parameter(f"{name}_l0").detach().split(hidden)]
            for rnn in ways
        ]
        return torch.stack([torch.cat([parts[gate] for gate in _GATES[kind]]) for parts in gates])

    more = {"linear_before_reset": 1} if kind == "GRU" else {}
    out = graph(
        kind.removesuffix("_TANH"),
        steps,
        stacked("weight_ih"),
        stacked("weight_hh"),
        torch.cat((stacked("bias_ih"), stacked("bias_hh")), 1),
        rows,
        hidden_size=hidden,
        direction="bidirectional" if len(ways) == 2 else "forward",
        **more,
    )  # [T, ways, B, H]
    return str(graph("Reshape", graph("Transpose", out, perm=[0, 2, 1, 3]), [0, 0, -1]))


def lookahead(graph: Graph, layer: Lookahead, x: Padded) -> str:
    """Look-ahead convolution on [B, T, F]."""
    rows = graph("Transpose", masked(graph, x.data, x.mask), perm=[0, 2, 1])
    out = graph(
        "Conv", rows, layer.conv.weight, group=layer.conv.groups, pads=[0, layer.framing.after]
    )
    return str(graph("Transpose", out, perm=[0, 2, 1]))


def batchnorm(graph: Graph, norm: nn.Module, data: str) -> str:
    """BatchNorm in evaluation over the last axis; padding is left as it comes, and is not looked at any more."""
    if not isinstance(norm, SequenceBatchNorm):
        return data
    scale, shift = scale_of(norm)
    return str(graph("Add", graph("Mul", data, scale), shift))


def scale_of(norm: SequenceBatchNorm) -> tuple[Tensor, Tensor]:
    """Factor and summand of a BatchNorm in evaluation."""
    scale = (norm.weight * torch.rsqrt(norm.running_var + norm.eps)).detach()
    return scale, (norm.bias - norm.running_mean * scale).detach()


def activation(graph: Graph, module: nn.Module, data: str) -> str:
    """ReLU, clipped or not."""
    return str(
        graph("Clip", data, 0.0, module.max_val)
        if isinstance(module, nn.Hardtanh)
        else graph("Relu", data)
    )


def count(graph: Graph, framing: Framing, lengths: str) -> str:
    """`Framing.count` of lengths [B]; division of integers rounds towards zero here, so nothing negative is divided."""
    frames = graph(
        "Div",
        graph(
            "Max",
            graph("Add", lengths, framing.before + framing.after - framing.size + framing.hop),
            0,
        ),
        framing.hop,
    )
    return str(graph("Mul", frames, graph("Cast", graph("Greater", lengths, 0), to=7)))


def mask_of(graph: Graph, data: str, lengths: str, axis: int = 1) -> str:
    """True on real elements, [B, T], where T is the size of `axis`."""
    steps = graph("Range", 0, graph("Squeeze", graph("Shape", data, start=axis, end=axis + 1)), 1)
    return str(graph("Less", graph("Unsqueeze", steps, [0]), graph("Unsqueeze", lengths, [1])))


def masked(graph: Graph, data: str, mask: str, axes: tuple[int, ...] | list[int] = (2,)) -> str:
    """Data with zeros in the padding; `axes` are those that the mask lacks."""
    return str(graph("Where", graph("Unsqueeze", mask, list(axes)), data, graph.constant(0.0)))
