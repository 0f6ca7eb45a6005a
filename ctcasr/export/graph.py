"""An ONNX graph, written node by node.

No tracing: batch and length stay free, and every operator is a chosen one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

# "float" or "int64", and a shape in which free sizes have names.
Shaped = tuple[str, Sequence[str | int]]

# Of ONNX 1.15 (2023): what onnxruntime reads since 1.17.
_OPSET = 18
_IR = 9
_FLOAT = 1  # ONNX's numbers of types
_INT32 = 6
_INT64 = 7


@dataclass(frozen=True)
class Value:
    """What a node gives, or an input of the graph; operators make further nodes.

    Whatever is no value on their right side becomes a constant.
    """

    graph: Graph
    name: str

    def __add__(self, other: Operand) -> Value:
        return self.graph("Add", self, other)

    def __sub__(self, other: Operand) -> Value:
        return self.graph("Sub", self, other)

    def __mul__(self, other: Operand) -> Value:
        return self.graph("Mul", self, other)

    def __truediv__(self, other: Operand) -> Value:
        return self.graph("Div", self, other)

    def __matmul__(self, other: Operand) -> Value:
        return self.graph("MatMul", self, other)

    def at_least(self, other: Operand) -> Value:
        """The greater of the two, element by element."""
        return self.graph("Max", self, other)

    def sqrt(self) -> Value:
        """Square root."""
        return self.graph("Sqrt", self)

    def log(self) -> Value:
        """Natural logarithm."""
        return self.graph("Log", self)

    def sum(self, *axes: int) -> Value:
        """Sum over axes, which stay with size 1."""
        return self.graph("ReduceSum", self, list(axes), keepdims=1)

    def mean(self, *axes: int) -> Value:
        """Mean over axes, which stay with size 1."""
        return self.graph("ReduceMean", self, list(axes), keepdims=1)

    def max(self, *axes: int) -> Value:
        """Maximum over axes, which stay with size 1."""
        return self.graph("ReduceMax", self, list(axes), keepdims=1)

    def unsqueeze(self, *axes: int) -> Value:
        """With axes of size 1."""
        return self.graph("Unsqueeze", self, list(axes))

    def transpose(self, *axes: int) -> Value:
        """Axes in another order."""
        return self.graph("Transpose", self, perm=list(axes))

    def reshape(self, *shape: int) -> Value:
        """Another shape; 0 is the size as it was, -1 what is left."""
        return self.graph("Reshape", self, list(shape))

    def floats(self) -> Value:
        """As float32."""
        return self.graph("Cast", self, to=_FLOAT)

    def short_integers(self) -> Value:
        """As int32."""
        return self.graph("Cast", self, to=_INT32)

    def integers(self) -> Value:
        """As int64."""
        return self.graph("Cast", self, to=_INT64)

    def size(self, axis: int) -> Value:
        """The size of an axis, [1] int64."""
        return self.graph("Shape", self, start=axis, end=axis + 1)

    def where(self, condition: Value, otherwise: float) -> Value:
        """As it is where the condition holds, and a number elsewhere."""
        return self.graph("Where", condition, self, otherwise)


Operand = Value | int | float | Tensor | np.ndarray[Any, Any] | Sequence[int]


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

    def input(self, name: str) -> Value:
        """An input of the whole graph."""
        return Value(self, name)

    def constant(self, value: Operand) -> Value:
        """A constant; floats are single, integers long. A value stays what it is."""
        if isinstance(value, Value):
            return value
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
        return Value(self, name)

    def __call__(self, operator: str, *inputs: Operand, **attributes: Any) -> Value:
        """What a node gives; inputs that are no values become constants."""
        (value,) = self.several(operator, *inputs, outputs=1, **attributes)
        return value

    def several(
        self, operator: str, *inputs: Operand, outputs: int, **attributes: Any
    ) -> list[Value]:
        """What a node of several outputs gives."""
        inputs_by_name = [self.constant(value).name for value in inputs]
        name = f"{operator}_{len(self._nodes)}"
        names = [name]
        for index in range(1, outputs):
            names.append(f"{name}_{index}")
        node = self._onnx.helper.make_node(operator, inputs_by_name, names, name, **attributes)
        self._nodes.append(node)
        return [Value(self, name) for name in names]

    def save(
        self,
        path: Path,
        inputs: Mapping[str, Shaped],
        outputs: Mapping[str, Shaped],
        values: Mapping[str, Value],
        metadata: Mapping[str, str],
    ) -> None:
        """Write a checked model.

        Inputs and outputs are name -> (type, shape); `values` are what the outputs give.
        """
        helper = self._onnx.helper
        renamed = []
        for name in outputs:
            renamed.append(helper.make_node("Identity", [values[name].name], [name]))
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
        types = {"float": _FLOAT, "int64": _INT64}
        described = []
        for name, (kind, shape) in values.items():
            info = self._onnx.helper.make_tensor_value_info(name, types[kind], list(shape))
            described.append(info)
        return described
