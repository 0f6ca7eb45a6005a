"""An ONNX graph, written node by node.

No tracing: batch and length stay free, and every operator is a chosen one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

# "float" or "int64", and a shape in which free sizes have names.
Shaped = tuple[str, Sequence[str | int]]
Value = str | int | float | Tensor | np.ndarray[Any, Any] | Sequence[int]

# Of ONNX 1.15 (2023): what onnxruntime reads since 1.17.
_OPSET = 18
_IR = 9


class Graph:
    """Nodes and constants; values are known by their names.

    Raises ImportError that names the extra to install.
    """

    def __init__(self) -> None:
        try:
            import onnx
        except ImportError as error:
            raise ImportError(
                "ONNX export needs onnx and onnxruntime: pip install 'ctcasr[onnx]'"
            ) from error
        self._onnx = onnx
        self._nodes: list[Any] = []
        self._constants: dict[str, Any] = {}

    def constant(self, value: Tensor | np.ndarray[Any, Any] | Sequence[int] | int | float) -> str:
        """The name of a constant; floats are single, integers long."""
        if isinstance(value, Tensor):
            array = value.detach().cpu().numpy()
        else:
            array = np.asarray(value)
        if array.dtype.kind == "f":
            array = np.ascontiguousarray(array, np.float32)
        else:
            array = array.astype(np.int64)
        name = f"constant_{len(self._constants)}"
        shaped = array.reshape(np.shape(value))
        self._constants[name] = self._onnx.numpy_helper.from_array(shaped, name)
        return name

    def __call__(self, operator: str, *inputs: Value, **attributes: Any) -> str:
        """The name of the output of a node; inputs that are no names are constants, "" is none."""
        return self.several(operator, *inputs, outputs=1, **attributes)[0]

    def several(
        self, operator: str, *inputs: Value, outputs: int, **attributes: Any
    ) -> Sequence[str]:
        """The names of the outputs of a node that has several."""
        names = []
        for value in inputs:
            names.append(value if isinstance(value, str) else self.constant(value))
        name = f"{operator}_{len(self._nodes)}"
        results = [name, *(f"{name}_{index}" for index in range(1, outputs))]
        node = self._onnx.helper.make_node(operator, names, results, name, **attributes)
        self._nodes.append(node)
        return results

    def save(
        self,
        path: Path,
        inputs: Mapping[str, Shaped],
        outputs: Mapping[str, Shaped],
        values: Mapping[str, str],
        metadata: Mapping[str, str],
    ) -> None:
        """Write a checked model.

        Inputs and outputs are name -> (type, shape), `values` the inner names of the outputs.
        """
        helper = self._onnx.helper
        renamed = [helper.make_node("Identity", [values[name]], [name]) for name in outputs]
        graph = helper.make_graph(
            [*self._nodes, *renamed],
            "ctcasr",
            self._described(inputs),
            self._described(outputs),
            list(self._constants.values()),
        )
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", _OPSET)],
            ir_version=_IR,
            producer_name="ctcasr",
        )
        helper.set_model_props(model, dict(metadata))
        self._onnx.checker.check_model(model, full_check=True)
        self._onnx.save(model, path)

    def _described(self, values: Mapping[str, Shaped]) -> list[Any]:
        """Types and shapes as ONNX describes them."""
        types = {"float": self._onnx.TensorProto.FLOAT, "int64": self._onnx.TensorProto.INT64}
        described = []
        for name, (kind, shape) in values.items():
            info = self._onnx.helper.make_tensor_value_info(name, types[kind], list(shape))
            described.append(info)
        return described
