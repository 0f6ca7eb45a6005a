"""LiteRT files (.tflite) by litert-torch, quantised by ai-edge-quantizer, run by ai-edge-litert."""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor, nn

from ctcasr.export.artefact import Artefact, Floats, Runner

_RUNTIME = "ai-edge-litert"


def export_litert(
    network: nn.Module, example: Tensor, calibration: Sequence[Floats], folder: Path, name: str
) -> list[Artefact]:
    """NAME.tflite, NAME_int8_dynamic.tflite and NAME_int8_static.tflite of a network.

    The network takes `example` [1, C, H, W]. Dynamic quantisation is what TensorFlow Lite calls
    its default optimisation. Static quantisation measures its activations on `calibration`;
    without any it is left out. Raises ImportError that names the extra to install.
    """
    try:
        import litert_torch
        from ai_edge_quantizer import recipe
    except ImportError as error:
        raise ImportError(
            "LiteRT export needs litert-torch, ai-edge-quantizer and ai-edge-litert: "
            "pip install 'ctcasr[litert]'"
        ) from error
    plain = folder / f"{name}.tflite"
    with _quiet():
        litert_torch.convert(network, (example,)).export(str(plain))
    _shorten_names(plain)
    dynamic = folder / f"{name}_int8_dynamic.tflite"
    _quantise(plain, dynamic, recipe.dynamic_wi8_afp32(), ())
    artefacts = [
        Artefact(plain, _RUNTIME, "float32", load),
        Artefact(dynamic, _RUNTIME, "int8 dynamic", load),
    ]
    if calibration:
        static = folder / f"{name}_int8_static.tflite"
        _quantise(plain, static, recipe.static_wi8_ai8(), calibration)
        artefacts.append(Artefact(static, _RUNTIME, "int8 static", load))
    return artefacts


def _quantise(plain: Path, path: Path, rules: Any, calibration: Sequence[Floats]) -> None:
    """Write `path`, which is `plain` in 8 bits by `rules`."""
    from ai_edge_quantizer import quantizer

    with _quiet():
        work = quantizer.Quantizer(str(plain))
        work.load_quantization_recipe(rules)
        ranges = None
        if calibration:
            ranges = work.calibrate(_samples(plain, calibration))
        work.quantize(ranges).export_model(str(path), overwrite=True)


def load(path: Path) -> Runner:
    """The file in LiteRT, on one thread of the CPU.

    Inputs and outputs in 8 bits are converted on the way.
    """
    interpreter = _interpreter(path)
    interpreter.allocate_tensors()
    (into,) = interpreter.get_input_details()
    (out,) = interpreter.get_output_details()

    def run(features: Floats) -> Floats:
        interpreter.set_tensor(into["index"], _quantised(features, into))
        interpreter.invoke()
        return _dequantised(interpreter.get_tensor(out["index"]), out)

    return run


def _shorten_names(path: Path) -> None:
    """Number the tensors inside.

    The converter names each by the whole path of its module: a third of a small file.
    """
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(path.read_bytes(), 0)
    for number, graph in enumerate(model.subgraphs):
        outer = {*graph.inputs, *graph.outputs}
        for index, tensor in enumerate(graph.tensors):
            if index not in outer:
                tensor.name = f"{number}_{index}".encode()
    builder = flatbuffers.Builder(path.stat().st_size)
    builder.Finish(model.Pack(builder), b"TFL3")
    path.write_bytes(builder.Output())


def _interpreter(path: Path) -> Any:
    from ai_edge_litert.interpreter import Interpreter

    return Interpreter(str(path), num_threads=1)


def _quantised(features: Floats, into: dict[str, Any]) -> Any:
    """Features as an input of the file wants them."""
    kind = into["dtype"]
    if kind == np.float32:
        return features
    scale, zero = into["quantization"]
    limits = np.iinfo(kind)
    steps = np.round(features / scale) + zero
    return np.clip(steps, limits.min, limits.max).astype(kind)


def _dequantised(values: Any, out: dict[str, Any]) -> Floats:
    """An output of the file in floats."""
    if values.dtype == np.float32:
        floats: Floats = values
        return floats
    scale, zero = out["quantization"]
    floats = (values.astype(np.float32) - zero) * np.float32(scale)
    return floats


def _samples(path: Path, calibration: Sequence[Floats]) -> dict[str, list[dict[str, Floats]]]:
    """Calibration data as the quantiser wants it: by signature and by the name of its input."""
    signatures = _interpreter(path).get_signature_list()
    signature = next(iter(signatures))
    name = signatures[signature]["inputs"][0]
    return {signature: [{name: features} for features in calibration]}


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """What converters print is not for users."""
    with (
        warnings.catch_warnings(),
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        warnings.simplefilter("ignore")
        yield
