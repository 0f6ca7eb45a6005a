"""ONNX files of recognisers with weights in 8 bits."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np

_RECURRENT = ("LSTM", "GRU", "RNN")
_STORED_ONLY = ("GRU", "RNN")  # onnxruntime has no kernel in 8 bits for them
_WEIGHTS = (1, 2)  # places of the input and of the recurrent weights among a node's inputs
_LEVELS = 127  # of 8 bits, on either side of zero
_LEAST_WEIGHT = 1e-12  # so that a gate without weights divides by no zero


def quantise(plain: Path, path: Path) -> Path:
    """Write `path`: the file `plain` with 8-bit weights in recurrent and fully connected layers.

    LSTM and fully connected layers compute in 8 bits too (activations are quantised as they come,
    "dynamic"); onnxruntime has no such kernel for GRU and RNN layers, which are stored in 8 bits
    and compute in floats. Convolutions stay in floats: they are small, and onnxruntime's were not
    faster in 8 bits. Features stay as they are.
    """
    import onnx
    from onnxruntime import quantization

    # Before the first recurrent layer are the front-end, whose products must be exact, and the
    # convolutions.
    nodes = onnx.load(plain).graph.node
    kinds = [node.op_type in _RECURRENT for node in nodes]
    front = nodes[: kinds.index(True)]
    # onnxruntime advises a preparation that a graph without surplus does not need.
    logging.getLogger().setLevel(logging.ERROR)
    quantization.quantize_dynamic(
        plain,
        path,
        op_types_to_quantize=["LSTM", "MatMul"],
        weight_type=quantization.QuantType.QInt8,
        per_channel=True,
        nodes_to_exclude=[node.name for node in front],
    )
    model = onnx.load(path)
    for node in list(model.graph.node):
        if node.op_type in _STORED_ONLY:
            for place in _WEIGHTS:
                node.input[place] = _stored(model.graph, node.input[place])
    onnx.save(model, path)
    return path


def _stored(graph: Any, name: str) -> str:
    """Put a weight [directions, gates, inputs] into 8 bits with a scale for each gate.

    Returns the name of what the node that makes floats of it gives.
    """
    from onnx import helper, numpy_helper

    (tensor,) = [tensor for tensor in graph.initializer if tensor.name == name]
    weight = numpy_helper.to_array(tensor)
    largest = np.maximum(np.abs(weight).max((0, 2)), _LEAST_WEIGHT)
    scale = largest.astype(np.float32) / _LEVELS
    rounded = np.round(weight / scale[None, :, None])
    small = np.clip(rounded, -_LEVELS, _LEVELS).astype(np.int8)
    zero = np.zeros(scale.shape, np.int8)
    parts = {f"{name}_int8": small, f"{name}_scale": scale, f"{name}_zero": zero}
    graph.initializer.remove(tensor)
    for part_name, part in parts.items():
        graph.initializer.append(numpy_helper.from_array(part, part_name))
    to_floats = helper.make_node(
        "DequantizeLinear", list(parts), [f"{name}_float"], f"{name}_dequantize", axis=1
    )
    graph.node.insert(0, to_floats)
    return f"{name}_float"
