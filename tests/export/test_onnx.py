"""ONNX files of classifiers: no surplus inside, one input and one output by their names."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

from tests.export.conftest import network

pytest.importorskip("onnxruntime", reason="needs the extra onnx")
from ctcasr.export.onnx import export_onnx


def test_without_calibration_there_is_no_static_file(tmp_path: Path) -> None:
    files = export_onnx(network(), torch.zeros(1, 1, 20, 30), [], tmp_path, "net")
    assert [file.precision for file in files] == ["float32", "int8 dynamic"]
    assert {path.name for path in tmp_path.iterdir()} == {"net.onnx", "net_int8_dynamic.onnx"}


def test_the_file_is_bare(tmp_path: Path) -> None:
    import onnx

    plain, _ = export_onnx(network(), torch.zeros(1, 1, 20, 30), [], tmp_path, "net")
    model = onnx.load(plain.path)
    assert not model.functions and not model.graph.value_info
    assert not any(node.doc_string or node.metadata_props for node in model.graph.node)
    assert [value.name for value in model.graph.input] == ["features"]
    assert [value.name for value in model.graph.output] == ["probabilities"]


def test_without_onnx_one_sentence_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ImportError, match=r"pip install 'ctcasr\[onnx\]'"):
        export_onnx(network(), torch.zeros(1, 1, 20, 30), [], tmp_path, "net")
