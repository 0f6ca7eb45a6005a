"""Graphs: nodes compute what their operators say, constants keep their kinds and shapes."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip("onnxruntime", reason="needs the extra onnx")
from ctcasr.export.graph import Graph, Value


def run(graph: Graph, path: Path, output: Value, kind: str, x: np.ndarray) -> np.ndarray:
    """What a graph of one input [batch, time] gives, saved and run."""
    import onnxruntime

    shape = ["batch", "time"]
    graph.save(path, {"x": ("float", shape)}, {"y": (kind, shape)}, {"y": output}, {"author": "me"})
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    assert session.get_modelmeta().custom_metadata_map == {"author": "me"}
    return session.run(["y"], {"x": x})[0]


@pytest.mark.parametrize("shape", [(1, 1), (2, 5), (7, 3)])
def test_inputs_that_are_no_names_are_constants_and_sizes_stay_free(
    shape: tuple[int, int], tmp_path: Path
) -> None:
    graph = Graph()
    doubled = graph.input("x") * torch.tensor(2.0, dtype=torch.float64)
    output = doubled + 0.5
    x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    assert np.allclose(run(graph, tmp_path / "g.onnx", output, "float", x), 2 * x + 0.5)


def test_several_outputs_and_integers(tmp_path: Path) -> None:
    graph = Graph()
    left, right = graph.several("Split", graph.input("x"), outputs=2, axis=1, num_outputs=2)
    whole = (right - left).integers()
    output = whole + np.array([[3]], dtype=np.int32)
    x = np.array([[1.0, 2.0, 5.0, 9.0]], dtype=np.float32)
    assert run(graph, tmp_path / "g.onnx", output, "int64", x).tolist() == [[7, 10]]


def test_a_graph_that_is_none_is_not_written(tmp_path: Path) -> None:
    graph = Graph()
    output = graph.input("x") + graph.input("nobody")
    with pytest.raises(Exception, match="nobody"):
        run(graph, tmp_path / "g.onnx", output, "float", np.zeros((1, 1), np.float32))
    assert not (tmp_path / "g.onnx").exists()


def test_without_onnx_one_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ImportError, match=r"pip install 'ctcasr\[onnx\]'"):
        Graph()
