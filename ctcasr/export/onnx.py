"""ONNX files, in floats and quantised by onnxruntime, which runs them."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ctcasr.export.artefact import Artefact, Floats, Runner

_INPUT = "features"
_OUTPUT = "probabilities"
_RUNTIME = "onnxruntime"


def export_onnx(
    network: nn.Module, example: Tensor, calibration: Sequence[Floats], folder: Path, name: str
) -> list[Artefact]:
    """NAME.onnx, NAME_int8_dynamic.onnx and NAME_int8_static.onnx of a network.

    The network takes `example` [1, C, H, W]. Static quantisation measures its activations on
    `calibration`; without any it is left out. Raises ImportError that names the extra to install.
    """
    try:
        import onnx
        from onnxruntime import quantization
    except ImportError as error:
        raise ImportError(
            "ONNX export needs onnx, onnxscript and onnxruntime: pip install 'ctcasr[onnx]'"
        ) from error
    plain = folder / f"{name}.onnx"
    _export(network, example, plain)
    onnx.save(_bare(onnx.load(plain)), plain)
    artefacts = [Artefact(plain, _RUNTIME, "float32", load)]

    # onnxruntime advises a preparation that the exporter has done.
    logging.getLogger().setLevel(logging.ERROR)
    dynamic = folder / f"{name}_int8_dynamic.onnx"
    # onnxruntime's CPU kernels of integer convolutions want unsigned weights.
    quantization.quantize_dynamic(plain, dynamic, weight_type=quantization.QuantType.QUInt8)
    artefacts.append(Artefact(dynamic, _RUNTIME, "int8 dynamic", load))
    if calibration:
        static = folder / f"{name}_int8_static.onnx"
        quantization.quantize_static(
            plain,
            static,
            _reader(calibration),
            quant_format=quantization.QuantFormat.QDQ,
            per_channel=True,
            weight_type=quantization.QuantType.QInt8,
            activation_type=quantization.QuantType.QUInt8,
        )
        artefacts.append(Artefact(static, _RUNTIME, "int8 static", load))
    return artefacts


def _export(network: nn.Module, example: Tensor, path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)
        torch.onnx.export(
            network,
            (example,),
            path,
            dynamo=True,
            input_names=[_INPUT],
            output_names=[_OUTPUT],
            verbose=False,
            external_data=False,
        )


def load(path: Path) -> Runner:
    """The file in onnxruntime, on one thread of the CPU."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    def run(features: Floats) -> Floats:
        probabilities: Floats = session.run([_OUTPUT], {_INPUT: features})[0]
        return probabilities

    return run


def _bare(model: Any) -> Any:
    """The model without source lines and intermediate shapes.

    These bloat it, and the quantiser trips over them.
    """
    del model.graph.value_info[:]
    del model.metadata_props[:]
    del model.functions[:]
    for node in model.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    return model


def _reader(calibration: Sequence[Floats]) -> Any:
    """Calibration data as the quantiser wants it: row by row until None."""
    from onnxruntime.quantization import CalibrationDataReader

    class Reader(CalibrationDataReader):  # type: ignore[misc, valid-type]
        def __init__(self) -> None:
            self.rows: Iterator[Floats] = iter(calibration)

        def get_next(self) -> dict[str, Floats] | None:
            row = next(self.rows, None)
            return None if row is None else {_INPUT: row}

    return Reader()
