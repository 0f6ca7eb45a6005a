"""Exported files: what their own runtimes find is what torch finds; zeros make them small."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from ctcasr.export import Artefact, zipped_bytes
from tests.export.conftest import network


def test_each_file_says_what_torch_says(files: list[Artefact]) -> None:
    body = network()
    assert [file.precision for file in files] == ["float32", "int8 dynamic", "int8 static"]
    for file, tolerance in zip(files, (1e-5, 0.05, 0.1), strict=True):
        run = file.runner()
        for seed in range(5):
            features = (
                np.random.default_rng(100 + seed).standard_normal((1, 1, 20, 30)).astype(np.float32)
            )
            with torch.no_grad():
                expected = body(torch.from_numpy(features)).numpy()
            found = run(features)
            assert found.shape == (1, 4) and np.abs(found - expected).max() < tolerance


def test_eight_bits_are_smaller_and_zeros_are_smaller_still_when_zipped(
    files: list[Artefact],
) -> None:
    plain, dynamic, static = files
    assert max(dynamic.size, static.size) < 0.8 * plain.size
    assert all(file.zipped < 0.7 * file.size for file in files)


def weights_of(file: Artefact) -> list[np.ndarray]:
    """The weights of convolutions in a file of floats or bytes, each less what stands for zero."""
    if file.runtime == "onnxruntime":
        import onnx
        from onnx import numpy_helper

        return [
            numpy_helper.to_array(t)
            for t in onnx.load(file.path).graph.initializer
            if len(t.dims) == 4
        ]
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(file.path), experimental_preserve_all_tensors=True)
    interpreter.allocate_tensors()
    found = []
    for tensor in interpreter.get_tensor_details():
        if len(tensor["shape"]) == 4 and tensor["shape"][1:3].tolist() == [3, 3]:
            found.append(interpreter.get_tensor(tensor["index"]))
    return found


def test_weights_that_were_pruned_away_stay_zero_in_the_file(files: list[Artefact]) -> None:
    for file in files:
        if file.runtime == "onnxruntime" and file.precision == "int8 dynamic":
            continue  # unsigned there: zero has another name
        weights = weights_of(file)
        zero, whole = sum(int((w == 0).sum()) for w in weights), sum(w.size for w in weights)
        assert len(weights) == 3 and 0.84 < zero / whole < 0.99


def test_zipped_bytes_are_those_of_a_zip_archive(tmp_path: Path) -> None:
    (tmp_path / "zeros").write_bytes(bytes(100_000))
    (tmp_path / "noise").write_bytes(np.random.default_rng(0).bytes(100_000))
    assert (
        zipped_bytes(tmp_path / "zeros") < 1000
        and 100_000 < zipped_bytes(tmp_path / "noise") < 101_000
    )
