"""The layers of a speech model as ONNX nodes; what they do to padding is what the modules do."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ctcasr.export.graph import Graph
from ctcasr.front import CorpusNorm, Mel, Spectrogram, UtteranceNorm
from ctcasr.front.spectrogram import SILENCE
from ctcasr.net import AcousticModel, ConvLayer, Lookahead, RecurrentLayer, SequenceBatchNorm
from ctcasr.recognise.model import SpeechModel
from ctcasr.seq import Framing

# torch keeps gates as input, forget, cell, output (LSTM) and reset, update, new (GRU);
# ONNX as i, o, f, c and z, r, h.
_GATES = {"LSTM": (0, 3, 1, 2), "GRU": (1, 0, 2), "RNN_TANH": (0,)}
_TIME_FIRST = (1, 0, 2)  # [B, T, F] and [T, B, F], each to the other
_FEATURES_FIRST = (0, 2, 1)  # [B, T, F] and [B, F, T], each to the other
_SECOND_LATER = (0, 2, 1, 3)  # [B, C, T, F] to [B, T, C, F], [T, directions, B, H] to [T, B, ...]
_FLATTENED = (0, 0, -1)  # the last two axes are one
_FLOAT = 1  # ONNX's numbers of types
_INT32 = 6
_INT64 = 7
_NEVER_LOUDEST = -1e9  # dB, in the padding
_VARIANCE_FLOOR = 1e-5  # of `UtteranceNorm`


@dataclass(frozen=True)
class Padded:
    """A value with lengths [B] (int64) and a mask [B, T] (bool), all by name."""

    data: str
    lengths: str
    mask: str


def speech(graph: Graph, model: SpeechModel, samples: str, lengths: str) -> tuple[str, str]:
    """Log-posteriors [B, T, C] and their lengths [B] of samples [B, N] with lengths [B]."""
    spectrogram = features(graph, model.front.extract, samples, lengths)
    frames = normalised(graph, model.front.norm, spectrogram)
    frames = conv_stack(graph, model.body, frames)
    data = recurrent_stack(graph, model.body, frames)
    if model.body.lookahead is not None:
        data = lookahead(graph, model.body.lookahead, replace(frames, data=data))
    data = head(graph, model.body, data)
    if model.prior is not None:
        data = graph("Sub", data, model.prior.weight * model.prior.log)
    return graph("LogSoftmax", data, axis=-1), frames.lengths


def features(graph: Graph, extract: Spectrogram, samples: str, lengths: str) -> Padded:
    """Spectrogram or mel features [B, T, F] of samples [B, N]."""
    level = power(graph, extract, windows(graph, extract, samples, lengths))
    if extract.power != 2.0:
        level = graph("Sqrt", level)
    if isinstance(extract, Mel):
        level = graph("MatMul", level, extract.filters)
    frames = count(graph, extract.framing, lengths)
    mask = mask_of(graph, level, frames)
    if extract.floor_db:
        level = graph("Div", level, mean_level(graph, extract, Padded(level, frames, mask)))
    if extract.log:
        floored = graph("Add", level, extract.floor)
        level = graph("Log", floored)
    if extract.range_db:
        level = below_loudest(graph, extract, level, mask)
    return Padded(masked(graph, level, mask), frames, mask)


def windows(graph: Graph, extract: Spectrogram, samples: str, lengths: str) -> str:
    """Pieces [B, T, win] of samples [B, N] that the transform looks at."""
    real = mask_of(graph, samples, lengths)
    clean = graph("Where", real, samples, graph.constant(0.0))
    frames = count(graph, extract.framing, graph("Shape", samples, start=1))
    numbers = graph("Range", 0, graph("Squeeze", frames), 1)
    starts = graph("Mul", numbers, extract.hop)
    padded = graph("Pad", clean, [0, extract.framing.before, 0, extract.framing.after])
    places = graph("Add", graph("Unsqueeze", starts, [1]), _inside(extract))
    return graph("Gather", padded, places, axis=1)


def power(graph: Graph, extract: Spectrogram, pieces: str) -> str:
    """Power [B, T, bins] of pieces [B, T, win]: a product with the windowed cosines and sines."""
    parts = graph("MatMul", pieces, windowed_waves(extract))
    squares = graph("Mul", parts, parts)
    real, imaginary = graph.several("Split", squares, outputs=2, axis=2, num_outputs=2)
    return graph("Add", real, imaginary)


def _inside(extract: Spectrogram) -> np.ndarray[Any, Any]:
    """Places [win] of the window in the transform; in the margins beside it the window is zero."""
    margin = (extract.n_fft - extract.win) // 2
    return margin + np.arange(extract.win)


def windowed_waves(extract: Spectrogram) -> np.ndarray[Any, Any]:
    """Cosines and negative sines [win, 2 bins] of the transform, times the window."""
    places = _inside(extract)
    bins = np.arange(extract.n_fft // 2 + 1)
    turns = (places[:, None] * bins) % extract.n_fft
    angles = 2 * np.pi * turns / extract.n_fft
    window = extract.window.double().cpu().numpy()
    return window[:, None] * np.concatenate((np.cos(angles), -np.sin(angles)), 1)


def mean_level(graph: Graph, extract: Spectrogram, frames: Padded) -> str:
    """Mean power or amplitude [B, 1, 1] of the real frames of [B, T, F]; never zero."""
    total = graph("ReduceSum", masked(graph, frames.data, frames.mask), [1, 2], keepdims=1)
    positive = graph("Max", frames.lengths, 1)
    counts = graph("Cast", graph("Unsqueeze", positive, [1, 2]), to=_FLOAT)
    mean = graph("Div", total, graph("Mul", counts, float(extract.bins)))
    return graph("Max", mean, SILENCE ** (extract.power / 2))


def below_loudest(graph: Graph, extract: Spectrogram, level: str, mask: str) -> str:
    """Decibels [B, T, F] below the loudest point of the clip, no lower than the range."""
    decibels = graph("Mul", level, 20 / (extract.power * math.log(10)))
    real = graph("Unsqueeze", mask, [2])
    known = graph("Where", real, decibels, graph.constant(_NEVER_LOUDEST))
    loudest = graph("ReduceMax", known, [1, 2], keepdims=1)
    return graph("Max", graph("Sub", decibels, loudest), -extract.range_db)


def normalised(graph: Graph, norm: nn.Module, frames: Padded) -> Padded:
    """Features [B, T, F] by the statistics of the utterance or of the corpus."""
    if isinstance(norm, UtteranceNorm):
        return by_utterance(graph, frames)
    if isinstance(norm, CorpusNorm):
        centred = graph("Sub", frames.data, norm.mean)
        product = "MatMul" if norm.whitening else "Mul"
        scaled = graph(product, centred, norm.matrix)
        return replace(frames, data=masked(graph, scaled, frames.mask))
    return frames


def by_utterance(graph: Graph, frames: Padded) -> Padded:
    """Features [B, T, F] of mean 0 and variance 1 over the real frames."""
    positive = graph("Max", frames.lengths, 1)
    counts = graph("Cast", graph("Unsqueeze", positive, [1, 2]), to=_FLOAT)  # [B, 1, 1]
    mean = graph("Div", graph("ReduceSum", frames.data, [1], keepdims=1), counts)
    centred = masked(graph, graph("Sub", frames.data, mean), frames.mask)
    squares = graph("Mul", centred, centred)
    variance = graph("Div", graph("ReduceSum", squares, [1], keepdims=1), counts)
    deviation = graph("Sqrt", graph("Add", variance, _VARIANCE_FLOOR))
    return replace(frames, data=graph("Div", centred, deviation))


def conv_stack(graph: Graph, body: AcousticModel, frames: Padded) -> Padded:
    """Conv layers on [B, T, F], if any, to [B, T', C F']."""
    layers: Any = body.conv.layers
    if not layers:
        return frames
    frames = replace(frames, data=graph("Unsqueeze", frames.data, [1]))
    for layer in layers:
        frames = conv(graph, layer, frames)
    by_time = graph("Transpose", frames.data, perm=_SECOND_LATER)
    return replace(frames, data=graph("Reshape", by_time, _FLATTENED))


def conv(graph: Graph, layer: ConvLayer, frames: Padded) -> Padded:
    """Conv layer on [B, C, T, F], with BatchNorm inside its weights."""
    scale, shift = scale_of(layer.norm)
    time, bins = (int(size) for size in layer.conv.padding)
    data = graph(
        "Conv",
        frames.data,
        layer.conv.weight * scale[:, None, None, None],
        shift,
        strides=list(layer.conv.stride),
        pads=[time, bins, time, bins],
    )
    lengths = count(graph, layer.framing, frames.lengths)
    mask = mask_of(graph, data, lengths, axis=2)
    active = activation(graph, layer.activation, data)
    return Padded(masked(graph, active, mask, [1, 3]), lengths, mask)


def recurrent_stack(graph: Graph, body: AcousticModel, frames: Padded) -> str:
    """RNN layers on [B, T, F], each with BatchNorm before it."""
    layers: Any = body.rnn.layers
    steps = graph("Transpose", frames.data, perm=_TIME_FIRST)
    lengths = graph("Cast", frames.lengths, to=_INT32)
    for norm, layer in zip(body.rnn.norms, layers, strict=True):
        steps = recurrent(graph, layer, batchnorm(graph, norm, steps), lengths)
    return graph("Transpose", steps, perm=_TIME_FIRST)


def recurrent(graph: Graph, layer: RecurrentLayer, steps: str, lengths: str) -> str:
    """RNN layer on [T, B, F]; ONNX turns each row around by its own length, as the module does."""
    rnns = [rnn for rnn in (layer.forwards, layer.backwards) if rnn is not None]
    kind = rnns[0].mode
    biases = (stacked_gates(rnns, "bias_ih"), stacked_gates(rnns, "bias_hh"))
    more = {}
    if kind == "GRU":
        more["linear_before_reset"] = 1  # as torch computes
    out = graph(
        kind.removesuffix("_TANH"),
        steps,
        stacked_gates(rnns, "weight_ih"),
        stacked_gates(rnns, "weight_hh"),
        torch.cat(biases, 1),
        lengths,
        hidden_size=rnns[0].hidden_size,
        direction="bidirectional" if len(rnns) == 2 else "forward",
        **more,
    )  # [T, directions, B, H]
    by_row = graph("Transpose", out, perm=_SECOND_LATER)
    return graph("Reshape", by_row, _FLATTENED)


def stacked_gates(rnns: Sequence[nn.RNNBase], name: str) -> Tensor:
    """A weight or bias [directions, gates, ...] of the RNNs, its gates in ONNX's order."""
    directions = []
    for rnn in rnns:
        parts = rnn.get_parameter(f"{name}_l0").detach().split(rnn.hidden_size)
        gates = [parts[gate] for gate in _GATES[rnn.mode]]
        directions.append(torch.cat(gates))
    return torch.stack(directions)


def lookahead(graph: Graph, layer: Lookahead, frames: Padded) -> str:
    """Look-ahead convolution on [B, T, F]."""
    rows = graph("Transpose", masked(graph, frames.data, frames.mask), perm=_FEATURES_FIRST)
    pads = [0, layer.framing.after]
    out = graph("Conv", rows, layer.conv.weight, group=layer.conv.groups, pads=pads)
    return graph("Transpose", out, perm=_FEATURES_FIRST)


def head(graph: Graph, body: AcousticModel, data: str) -> str:
    """Fully connected layers on [B, T, F], with an activation between each two."""
    layers: Any = body.head.layers
    for index, (norm, linear) in enumerate(zip(body.head.norms, layers, strict=True)):
        if index > 0:
            data = activation(graph, body.head.activation, data)
        product = graph("MatMul", batchnorm(graph, norm, data), linear.weight.T)
        data = graph("Add", product, linear.bias)
    return data


def batchnorm(graph: Graph, norm: nn.Module, data: str) -> str:
    """BatchNorm in evaluation over the last axis.

    Padding is left as it comes, and is not looked at any more.
    """
    if not isinstance(norm, SequenceBatchNorm):
        return data
    scale, shift = scale_of(norm)
    return graph("Add", graph("Mul", data, scale), shift)


def scale_of(norm: SequenceBatchNorm) -> tuple[Tensor, Tensor]:
    """Factor and summand of a BatchNorm in evaluation."""
    scale = (norm.weight * torch.rsqrt(norm.running_var + norm.eps)).detach()
    shift = (norm.bias - norm.running_mean * scale).detach()
    return scale, shift


def activation(graph: Graph, module: nn.Module, data: str) -> str:
    """ReLU, clipped or not."""
    if isinstance(module, nn.Hardtanh):
        return graph("Clip", data, 0.0, module.max_val)
    return graph("Relu", data)


def count(graph: Graph, framing: Framing, lengths: str) -> str:
    """`Framing.count` of lengths [B].

    Division of integers rounds towards zero here, so nothing negative is divided.
    """
    room = framing.before + framing.after - framing.size + framing.hop
    positive = graph("Max", graph("Add", lengths, room), 0)
    frames = graph("Div", positive, framing.hop)
    of_something = graph("Cast", graph("Greater", lengths, 0), to=_INT64)
    return graph("Mul", frames, of_something)


def mask_of(graph: Graph, data: str, lengths: str, axis: int = 1) -> str:
    """True on real elements, [B, T], where T is the size of `axis`."""
    size = graph("Shape", data, start=axis, end=axis + 1)
    steps = graph("Range", 0, graph("Squeeze", size), 1)
    row = graph("Unsqueeze", steps, [0])
    return graph("Less", row, graph("Unsqueeze", lengths, [1]))


def masked(graph: Graph, data: str, mask: str, axes: Sequence[int] = (2,)) -> str:
    """Data with zeros in the padding; `axes` are those that the mask lacks."""
    real = graph("Unsqueeze", mask, list(axes))
    return graph("Where", real, data, graph.constant(0.0))
