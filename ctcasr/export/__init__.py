"""Recognisers and classifiers as files for other runtimes: ONNX and LiteRT, floats and 8 bits."""

from ctcasr.export.artefact import Artefact, Runner, zipped_bytes
from ctcasr.export.classify import Exported, export_classifier
from ctcasr.export.measurement import Latency, Measured, measure
from ctcasr.export.recognise import (
    ExportedRecogniser,
    Runtime,
    export_onnx_recogniser,
    export_recogniser,
)
from ctcasr.export.sherpa import ExportedForSherpa, export_for_sherpa

__all__ = [
    "Artefact",
    "Exported",
    "ExportedForSherpa",
    "ExportedRecogniser",
    "Latency",
    "Measured",
    "Runner",
    "Runtime",
    "export_classifier",
    "export_for_sherpa",
    "export_onnx_recogniser",
    "export_recogniser",
    "measure",
    "zipped_bytes",
]
