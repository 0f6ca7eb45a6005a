"""The layers of a speech model as ONNX nodes; what they do to padding is what the modules do."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ctcasr.export.graph import Value
from ctcasr.front import CorpusNorm, LiftedNorm, Mel, Spectrogram, UtteranceNorm
from ctcasr.front.spectrogram import SILENCE
from ctcasr.net import AcousticModel, ConvLayer, Lookahead, RecurrentLayer, SequenceBatchNorm
from ctcasr.recognise.model import SpeechModel
from ctcasr.seq import Framing
from ctcasr.video import LipFront

# torch keeps gates as input, forget, cell, output (LSTM) and reset, update, new (GRU);
# ONNX as i, o, f, c and z, r, h.
_GATES = {
    "LSTM": (0, 3, 1, 2),
    "GRU": (1, 0, 2),
    "RNN_TANH": (0,),
}
_NEVER_LOUDEST = -1e9  # dB, in the padding
_VARIANCE_FLOOR = 1e-5  # of `UtteranceNorm`


@dataclass(frozen=True)
class Padded:
    """A value [B, T, ...] with lengths [B] (int64) and a mask [B, T] (bool)."""

    data: Value
    lengths: Value
    mask: Value

    def zeroed(self) -> Value:
        """Data [B, T, F] with zeros in the padding."""
        return masked(self.data, self.mask)

    def counts(self) -> Value:
        """Real frames of each row, at least 1, as floats [B, 1, 1]."""
        lengths = self.lengths.at_least(1)
        return lengths.unsqueeze(1, 2).floats()


def speech(model: SpeechModel, samples: Value, lengths: Value) -> tuple[Value, Value]:
    """Log-posteriors [B, T, C] and their lengths [B] of samples [B, N] with lengths [B].

    Raises:
        ValueError: for a lip reader.
    """
    front = model.front
    if isinstance(front, LipFront):
        raise ValueError("expected a recogniser that hears; one that reads lips is not exported")
    frames = features(front.extract, samples, lengths)
    frames = normalised(front.norm, frames)
    frames = conv_stack(model.body, frames)
    data = recurrent_stack(model.body, frames)
    if model.body.lookahead is not None:
        data = lookahead(model.body.lookahead, replace(frames, data=data))
    data = head(model.body, data)
    if model.prior is not None:
        log_prior = model.prior.weight * model.prior.log
        data = data - log_prior
    log_probs = data.graph("LogSoftmax", data, axis=-1)
    return log_probs, frames.lengths


# The front-end


def features(extract: Spectrogram, samples: Value, lengths: Value) -> Padded:
    """Spectrogram or mel features [B, T, F] of samples [B, N]."""
    pieces = windows(extract, samples, lengths)
    level = power(extract, pieces)
    if extract.power != 2.0:
        level = level.sqrt()
    if isinstance(extract, Mel):
        level = level @ extract.filters
    counted = count(extract.framing, lengths)
    frames = Padded(level, counted, mask_of(level, counted))
    if extract.floor_db:
        frames = replace(frames, data=level / mean_level(extract, frames))
    if extract.log:
        floored = frames.data + extract.floor
        frames = replace(frames, data=floored.log())
    if extract.range_db:
        frames = below_loudest(extract, frames)
    return replace(frames, data=frames.zeroed())


def windows(extract: Spectrogram, samples: Value, lengths: Value) -> Value:
    """Pieces [B, T, win] of samples [B, N] that the transform looks at."""
    graph = samples.graph
    framing = extract.framing
    is_sample = mask_of(samples, lengths)
    clean = samples.where(is_sample, 0.0)
    padded_size = graph("Shape", samples, start=1)
    frames = count(framing, padded_size)
    numbers = graph("Range", 0, graph("Squeeze", frames), 1)
    starts = numbers * extract.hop
    padded = graph("Pad", clean, [0, framing.before, 0, framing.after])
    places = starts.unsqueeze(1) + inside(extract)
    return graph("Gather", padded, places, axis=1)


def power(extract: Spectrogram, pieces: Value) -> Value:
    """Power [B, T, bins] of pieces [B, T, win]: a product with the windowed cosines and sines."""
    parts = pieces @ windowed_waves(extract)
    squares = parts * parts
    real, imaginary = parts.graph.several(
        "Split",
        squares,
        outputs=2,
        axis=2,
        num_outputs=2,
    )
    return real + imaginary


def inside(extract: Spectrogram) -> np.ndarray[Any, Any]:
    """Places [win] of the window in the transform; in the margins beside it the window is zero."""
    margin = (extract.n_fft - extract.win) // 2
    return margin + np.arange(extract.win)


def windowed_waves(extract: Spectrogram) -> np.ndarray[Any, Any]:
    """Cosines and negative sines [win, 2 bins] of the transform, times the window."""
    places = inside(extract)
    bins = np.arange(extract.n_fft // 2 + 1)
    turns = np.outer(places, bins) % extract.n_fft  # so that the angles stay small and exact
    angles = 2 * np.pi * turns / extract.n_fft
    cosines = np.cos(angles)
    sines = -np.sin(angles)
    waves = np.concatenate((cosines, sines), 1)
    window = extract.window.double().cpu().numpy()
    return window[:, None] * waves


def mean_level(extract: Spectrogram, frames: Padded) -> Value:
    """Mean power or amplitude [B, 1, 1] of the real frames of [B, T, F]; never zero."""
    total = frames.zeroed().sum(1, 2)
    points = frames.counts() * float(extract.bins)
    mean = total / points
    silence = SILENCE ** (extract.power / 2)
    return mean.at_least(silence)


def below_loudest(extract: Spectrogram, frames: Padded) -> Padded:
    """Decibels [B, T, F] below the loudest point of the clip, no lower than the range."""
    decibels_of_log = 20 / (extract.power * math.log(10))
    decibels = frames.data * decibels_of_log
    is_real = frames.mask.unsqueeze(2)
    candidates = decibels.where(is_real, _NEVER_LOUDEST)
    relative = decibels - candidates.max(1, 2)
    floored = relative.at_least(-extract.range_db)
    return replace(frames, data=floored)


def normalised(norm: nn.Module, frames: Padded) -> Padded:
    """Features [B, T, F] by the statistics of the utterance, of the corpus, or by both mixed."""
    if isinstance(norm, UtteranceNorm):
        return by_utterance(norm, frames)
    if isinstance(norm, LiftedNorm):
        return lifted(norm, frames)
    if isinstance(norm, CorpusNorm):
        return by_corpus(norm, frames)
    return frames


def lifted(norm: LiftedNorm, frames: Padded) -> Padded:
    """Features [B, T, F] normalised by the utterance, and a share of whitened ones."""
    own = by_utterance(norm.own, frames).data * (1 - norm.lift)
    whitened = by_corpus(norm, frames).data * norm.lift
    return replace(frames, data=own + whitened)


def by_corpus(norm: CorpusNorm, frames: Padded) -> Padded:
    """Features [B, T, F] by a mean, and by a deviation each or a whitening matrix."""
    if norm.by_utterance:
        frames = less_own_mean(frames, frames.counts())
    centred = frames.data - norm.mean
    if norm.whitening:
        scaled = centred @ norm.matrix
    else:
        scaled = centred * norm.matrix
    return replace(frames, data=masked(scaled, frames.mask))


def less_own_mean(frames: Padded, counts: Value) -> Padded:
    """Features [B, T, F] of mean 0 over the real frames, so many in each row."""
    mean = frames.data.sum(1) / counts
    return replace(frames, data=masked(frames.data - mean, frames.mask))


def by_utterance(norm: UtteranceNorm, frames: Padded) -> Padded:
    """Features [B, T, F] of mean 0 and variance 1 over the real frames, in each bin or in all."""
    counts = frames.counts()
    centred = less_own_mean(frames, counts).data
    squares = centred * centred
    variance = squares.sum(1) / counts
    if not norm.each_bin:
        variance = variance.mean(2)
    floored = variance + _VARIANCE_FLOOR
    return replace(frames, data=centred / floored.sqrt())


# The network


def conv_stack(body: AcousticModel, frames: Padded) -> Padded:
    """Conv layers on [B, T, F], if any, to [B, T', C F']."""
    stack: Any = body.conv
    layers = stack.layers
    if not layers:
        return frames
    frames = replace(frames, data=frames.data.unsqueeze(1))
    for layer in layers:
        frames = conv(layer, frames)
    by_time = frames.data.transpose(0, 2, 1, 3)
    return replace(frames, data=by_time.reshape(0, 0, -1))


def conv(layer: ConvLayer, frames: Padded) -> Padded:
    """Conv layer on [B, C, T, F], with BatchNorm inside its weights."""
    scale, shift = scale_of(layer.norm)
    weight = layer.conv.weight * scale[:, None, None, None]
    in_time, in_frequency = (int(size) for size in layer.conv.padding)
    data = frames.data.graph(
        "Conv",
        frames.data,
        weight,
        shift,
        strides=list(layer.conv.stride),
        pads=[in_time, in_frequency, in_time, in_frequency],
    )
    lengths = count(layer.framing, frames.lengths)
    mask = mask_of(data, lengths, axis=2)
    active = activation(layer.activation, data)
    return Padded(
        data=masked(active, mask, axes=(1, 3)),
        lengths=lengths,
        mask=mask,
    )


def recurrent_stack(body: AcousticModel, frames: Padded) -> Value:
    """RNN layers on [B, T, F], each with BatchNorm before it."""
    layers: Any = body.rnn.layers
    steps = frames.data.transpose(1, 0, 2)
    lengths = frames.lengths.short_integers()
    for norm, layer in zip(body.rnn.norms, layers, strict=True):
        steps = batchnorm(norm, steps)
        steps = recurrent(layer, steps, lengths)
    return steps.transpose(1, 0, 2)


def recurrent(layer: RecurrentLayer, steps: Value, lengths: Value) -> Value:
    """RNN layer on [T, B, F]; ONNX turns each row around by its own length, as the module does."""
    rnns: list[nn.RNNBase] = [layer.forwards]
    direction = "forward"
    if layer.backwards is not None:
        rnns.append(layer.backwards)
        direction = "bidirectional"
    kind = layer.forwards.mode
    attributes = {}
    if kind == "GRU":
        attributes["linear_before_reset"] = 1  # as torch computes
    input_biases = stacked_gates(rnns, "bias_ih")
    hidden_biases = stacked_gates(rnns, "bias_hh")
    outputs = steps.graph(
        kind.removesuffix("_TANH"),
        steps,
        stacked_gates(rnns, "weight_ih"),
        stacked_gates(rnns, "weight_hh"),
        torch.cat((input_biases, hidden_biases), 1),
        lengths,
        hidden_size=layer.forwards.hidden_size,
        direction=direction,
        **attributes,
    )  # [T, directions, B, H]
    by_row = outputs.transpose(0, 2, 1, 3)
    return by_row.reshape(0, 0, -1)


def stacked_gates(rnns: Sequence[nn.RNNBase], name: str) -> Tensor:
    """A weight or bias [directions, gates, ...] of the RNNs, its gates in ONNX's order."""
    directions = []
    for rnn in rnns:
        parameter = rnn.get_parameter(f"{name}_l0").detach()
        of_gates = parameter.split(rnn.hidden_size)
        in_order = [of_gates[gate] for gate in _GATES[rnn.mode]]
        directions.append(torch.cat(in_order))
    return torch.stack(directions)


def lookahead(layer: Lookahead, frames: Padded) -> Value:
    """Look-ahead convolution on [B, T, F]."""
    by_feature = frames.zeroed().transpose(0, 2, 1)
    convolved = by_feature.graph(
        "Conv",
        by_feature,
        layer.conv.weight,
        group=layer.conv.groups,
        pads=[0, layer.framing.after],
    )
    return convolved.transpose(0, 2, 1)


def head(body: AcousticModel, data: Value) -> Value:
    """Fully connected layers on [B, T, F], with an activation between each two."""
    layers: Any = body.head.layers
    for index, (norm, linear) in enumerate(zip(body.head.norms, layers, strict=True)):
        if index > 0:
            data = activation(body.head.activation, data)
        data = batchnorm(norm, data)
        data = data @ linear.weight.T
        data = data + linear.bias
    return data


def batchnorm(norm: nn.Module, data: Value) -> Value:
    """BatchNorm in evaluation over the last axis.

    Padding is left as it comes, and is not looked at any more.
    """
    if not isinstance(norm, SequenceBatchNorm):
        return data
    scale, shift = scale_of(norm)
    return data * scale + shift


def scale_of(norm: SequenceBatchNorm) -> tuple[Tensor, Tensor]:
    """Factor and summand of a BatchNorm in evaluation."""
    deviation = torch.rsqrt(norm.running_var + norm.eps)
    scale = (norm.weight * deviation).detach()
    shift = (norm.bias - norm.running_mean * scale).detach()
    return scale, shift


def activation(module: nn.Module, data: Value) -> Value:
    """ReLU, clipped or not."""
    if isinstance(module, nn.Hardtanh):
        return data.graph("Clip", data, 0.0, module.max_val)
    return data.graph("Relu", data)


# Lengths and padding


def count(framing: Framing, lengths: Value) -> Value:
    """`Framing.count` of lengths [B].

    Division of integers rounds towards zero here, so nothing negative is divided.
    """
    padding = framing.before + framing.after
    extra = padding - framing.size + framing.hop
    room = lengths + extra
    frames = room.at_least(0) / framing.hop
    is_something = lengths.graph("Greater", lengths, 0)
    return frames * is_something.integers()


def mask_of(data: Value, lengths: Value, axis: int = 1) -> Value:
    """True on real elements, [B, T], where T is the size of `axis`."""
    graph = data.graph
    size = graph("Squeeze", data.size(axis))
    places = graph("Range", 0, size, 1)
    return graph("Less", places.unsqueeze(0), lengths.unsqueeze(1))


def masked(data: Value, mask: Value, axes: Sequence[int] = (2,)) -> Value:
    """Data with zeros in the padding; `axes` are those that the mask lacks."""
    return data.where(mask.unsqueeze(*axes), 0.0)
