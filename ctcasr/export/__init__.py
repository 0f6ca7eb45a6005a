"""Classifiers as files that other runtimes run: ONNX and LiteRT, in floats and in 8 bits."""

from ctcasr.export.artefact import Artefact, Runner, zipped_bytes
from ctcasr.export.classify import Exported, export_classifier
from ctcasr.export.measure import Latency, Measured, measure

__all__ = ["Artefact", "Exported", "Latency", "Measured", "Runner", "export_classifier", "measure", "zipped_bytes"]
