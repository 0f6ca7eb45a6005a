"""LiteRT files (.tflite) by litert-torch, quantised by ai-edge-quantizer and run by ai-edge-litert."""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor, nn

from ctcasr.export.artefact import Artefact, Floats, Runner


def export_litert(
    network: nn.Module, example: Tensor, calibration: Sequence[Floats], folder: Path, name: str
) -> list[Artefact]:
    """NAME.tflite, NAME_int8_dynamic.tflite and NAME_int8_static.tflite of a network that takes `example` [1, C, H, W].

    Dynamic quantisation is what TensorFlow Lite calls its default optimisation. Static quantisation measures its activations on
    `calibration`; without any it is left out. ImportError names the extra to install.
    """
    try:
        import litert_torch
        from ai_edge_quantizer import quantizer, recipe
    except ImportError as error:
        raise ImportError(
            "LiteRT export needs litert-torch, ai-edge-quantizer and ai-edge-litert: pip install 'ctcasr[litert]'"
        ) from error
    plain = folder / f"{name}.tflite"
    with _quiet():
        litert_torch.convert(network, (example,)).export(str(plain))
    _shorten_names(plain)
    made = [Artefact(plain, "ai-edge-litert", "float32", load)]
    for precision, rules in (
        ("dynamic", recipe.dynamic_wi8_afp32()),
        ("static", recipe.static_wi8_ai8()),
    ):
        if precision == "static" and not calibration:
            continue
        path = folder / f"{name}_int8_{precision}.tflite"
        with _quiet():
            work = quantizer.Quantizer(str(plain))
            work.load_quantization_recipe(rules)
            seen = work.calibrate(_samples(plain, calibration)) if precision == "static" else None
            work.quantize(seen).export_model(str(path), overwrite=True)
        made.append(Artefact(path, "ai-edge-litert", f"int8 {precision}", load))
    return made


def load(path: Path) -> Runner:
    """The file in LiteRT, on one thread of the CPU; inputs and outputs in 8 bits are converted on the way."""
    interpreter = _interpreter(path)
    interpreter.allocate_tensors()
    (into,), (out,) = interpreter.get_input_details(), interpreter.get_output_details()

    def run(features: Floats) -> Floats:
        interpreter.set_tensor(into["index"], _quantised(features, into))
        interpreter.invoke()
        found = interpreter.get_tensor(out["index"])
        scale, zero = out["quantization"]
        return (
            found
            if found.dtype == np.float32
            else (found.astype(np.float32) - zero) * np.float32(scale)
        )

    return run


def _shorten_names(path: Path) -> None:
    """Number the tensors inside: the converter names each by the whole path of its module, and that makes a third of a small file."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(path.read_bytes(), 0)
    for number, graph in enumerate(model.subgraphs):
        for index, tensor in enumerate(graph.tensors):
            if index not in (*graph.inputs, *graph.outputs):
                tensor.name = f"{number}_{index}".encode()
    builder = flatbuffers.Builder(path.stat().st_size)
    builder.Finish(model.Pack(builder), b"TFL3")
    path.write_bytes(builder.Output())


def _interpreter(path: Path) -> Any:
    from ai_edge_litert.interpreter import Interpreter

    return Interpreter(str(path), num_threads=1)


def _quantised(features: Floats, into: dict[str, Any]) -> Any:
    kind = into["dtype"]
    if kind == np.float32:
        return features
    scale, zero = into["quantization"]
    limits = np.iinfo(kind)
    return np.clip(np.round(features / scale) + zero, limits.min, limits.max).astype(kind)


def _samples(path: Path, calibration: Sequence[Floats]) -> dict[str, list[dict[str, Floats]]]:
    """Calibration data as the quantiser wants it: by signature and by the name of its input."""
    (signature, names), *_ = _interpreter(path).get_signature_list().items()
    return {signature: [{names["inputs"][0]: row} for row in calibration]}


@contextlib.contextmanager
def _quiet() -> Any:
    with (
        warnings.catch_warnings(),
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        warnings.simplefilter("ignore")
        yield
