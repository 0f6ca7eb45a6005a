"""ONNX files of recognisers with weights in 8 bits."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np

_RECURRENT = ("LSTM", "GRU", "RNN")


def quantise(plain: Path, path: Path) -> Path:
    """Write `path`: the file `plain` with 8-bit weights in its recurrent and fully connected layers; features stay as they are.

    LSTM and fully connected layers compute in 8 bits too (activations are quantised as they come, "dynamic"); onnxruntime has no such
    kernel for GRU and RNN layers, which are stored in 8 bits and compute in floats. Convolutions stay in floats: they are small, and
    onnxruntime's were not faster in 8 bits.
    """
    import onnx
    from onnxruntime import quantization

    # What comes before the first recurrent layer is the front-end, whose products must be exact, and the convolutions.
    nodes = onnx.load(plain).graph.node
    front = next(index for index, node in enumerate(nodes) if node.op_type in _RECURRENT)
    logging.getLogger().setLevel(
        logging.ERROR
    )  # onnxruntime advises a preparation that a graph without surplus does not need
    quantization.quantize_dynamic(
        plain,
        path,
        op_types_to_quantize=["LSTM", "MatMul"],
        weight_type=quantization.QuantType.QInt8,
        per_channel=True,
        nodes_to_exclude=[node.name for node in nodes[:front]],
    )
    model = onnx.load(path)
    for node in [node for node in model.graph.node if node.op_type in ("GRU", "RNN")]:
        for place in (1, 2):
            node.input[place] = _stored(model.graph, node.input[place])
    onnx.save(model, path)
    return path


def _stored(graph: Any, name: str) -> str:
    """A weight [ways, gates, inputs] in 8 bits with a scale for each gate, and the node that makes floats of it."""
    from onnx import helper, numpy_helper

    found = next(one for one in graph.initializer if one.name == name)
    weight = numpy_helper.to_array(found)
    scale = np.maximum(np.abs(weight).max((0, 2)), 1e-12).astype(np.float32) / 127
    small = np.clip(np.round(weight / scale[None, :, None]), -127, 127).astype(np.int8)
    graph.initializer.remove(found)
    graph.initializer.extend(
        [
            numpy_helper.from_array(small, f"{name}_int8"),
            numpy_helper.from_array(scale, f"{name}_scale"),
            numpy_helper.from_array(np.zeros(scale.shape, np.int8), f"{name}_zero"),
        ]
    )
    inputs = [f"{name}_int8", f"{name}_scale", f"{name}_zero"]
    graph.node.insert(
        0,
        helper.make_node(
            "DequantizeLinear", inputs, [f"{name}_float"], f"{name}_dequantize", axis=1
        ),
    )
    return f"{name}_float"
