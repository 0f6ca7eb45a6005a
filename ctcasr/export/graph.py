"""An ONNX graph, written node by node: no tracing, so that batch and length stay free and every operator is a chosen one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

Shaped = tuple[
    str, Sequence[str | int]
]  # "float" or "int64", and a shape in which free sizes have names
_OPSET, _IR = 18, 9  # of ONNX 1.15 (2023): what onnxruntime reads since 1.17


class Graph:
    """Nodes and constants; values are known by their names. ImportError names the extra to install."""

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
        array = np.asarray(value.detach().cpu().numpy() if isinstance(value, Tensor) else value)
        array = (
            np.ascontiguousarray(array, np.float32)
            if array.dtype.kind == "f"
            else array.astype(np.int64)
        )
        name = f"constant_{len(self._constants)}"
        self._constants[name] = self._onnx.numpy_helper.from_array(
            array.reshape(np.shape(value)), name
        )
        return name

    def __call__(self, operator: str, *inputs: Any, outputs: int = 1, **attributes: Any) -> Any:
        """The output's name of a node (or names, where there are several); inputs that are no names are constants, "" is none."""
        names = [one if isinstance(one, str) else self.constant(one) for one in inputs]
        name = f"{operator}_{len(self._nodes)}"
        results = [name if index == 0 else f"{name}_{index}" for index in range(outputs)]
        self._nodes.append(
            self._onnx.helper.make_node(operator, names, results, name, **attributes)
        )
        return results[0] if outputs == 1 else results

    def save(
        self,
        path: Path,
        inputs: Mapping[str, Shaped],
        outputs: Mapping[str, Shaped],
        values: Mapping[str, str],
        metadata: Mapping[str, str],
    ) -> None:
        """Write a checked model; inputs and outputs are name -> (type, shape), `values` the inner names of the outputs."""
        helper, kinds = (
            self._onnx.helper,
            {"float": self._onnx.TensorProto.FLOAT, "int64": self._onnx.TensorProto.INT64},
        )
        renamed = [helper.make_node("Identity", [values[name]], [name]) for name in outputs]
        given, results = (
            [
                helper.make_tensor_value_info(name, kinds[kind], list(shape))
                for name, (kind, shape) in some.items()
            ]
            for some in (inputs, outputs)
        )
        graph = helper.make_graph(
            [*self._nodes, *renamed], "ctcasr", given, results, list(self._constants.values())
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
