"""Export a classifier, run every file that comes of it, and report."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ctcasr.batch import Skip, Utterance
from ctcasr.classify.classifier import Classifier
from ctcasr.classify.evaluation import LabelledReading
from ctcasr.data.skipped import refuse_nothing, skips_as_json
from ctcasr.export.artefact import Artefact
from ctcasr.export.litert import export_litert
from ctcasr.export.measurement import Latency, Measured, feature_latency, measure, network_input
from ctcasr.export.onnx import export_onnx
from ctcasr.export.threads import one_thread
from ctcasr.net.prune import sparsity

FORMATS = {"onnx": export_onnx, "litert": export_litert}
_CALIBRATION = 100  # clips that static quantisation measures on


@dataclass(frozen=True)
class Exported:
    """The files of one classifier and what they are worth."""

    files: Sequence[Measured]
    features: Latency
    sparsity: float  # share of the network's weights that is zero
    skipped: Sequence[Skip]

    def as_json(self) -> dict[str, Any]:
        """Plain data; sizes in bytes, times in milliseconds of one thread.

        "sparsity", "features_median_ms", "features_p95_ms", "files" (as `Measured.as_json`) and
        "skipped" (where, reason).
        """
        return {
            "sparsity": self.sparsity,
            "features_median_ms": self.features.median_ms,
            "features_p95_ms": self.features.p95_ms,
            "files": [file.as_json() for file in self.files],
            "skipped": skips_as_json(self.skipped),
        }

    def __str__(self) -> str:
        head = (
            f"{'file':32} {'kB':>8} {'zipped':>8} {'accuracy':>9} {'as torch':>9} "
            f"{'median':>8} {'p95':>8} {'total':>8}"
        )
        tail = (
            "median and p95 of the network alone, total from samples to probabilities; "
            f"features: median {self.features.median_ms:.2f} ms, "
            f"p95 {self.features.p95_ms:.2f} ms; one thread; 1 kB = 1000 bytes; "
            f"{100 * self.sparsity:.0f} % of the weights are zero, which makes the zipped file "
            "smaller, not the network faster"
        )
        left_out = [f"left out: {skip.where}: {skip.reason}" for skip in self.skipped]
        return "\n".join([head, *map(str, self.files), tail, *left_out])


def export_classifier(
    classifier: Classifier,
    to: str,
    out: Path,
    test: Sequence[Utterance],
    calibrate: Sequence[Utterance] = (),
    name: str = "classifier",
) -> Exported:
    """Write the network (features to probabilities) to folder `out`, and run every file on `test`.

    `to` is "onnx" or "litert". The clips of `calibrate` set the ranges of static quantisation;
    without any it is left out.
    Raises ValueError for another format or for no clip that can be read, ImportError that names
    what to install.
    """
    if to not in FORMATS:
        raise ValueError(f"expected one of {', '.join(FORMATS)} to export to; got {to!r}")
    out.mkdir(parents=True, exist_ok=True)
    reading = LabelledReading(classifier)
    with one_thread():
        clips = list(reading.clips(test))
        refuse_nothing(reading.skipped, len(clips))
        every = max(1, len(calibrate) // _CALIBRATION)
        calibration = list(reading.clips(calibrate[::every][:_CALIBRATION]))
        inputs = [network_input(classifier, clip.samples) for clip in calibration]
        files = _write(classifier, to, inputs, out, name)
        measured = [measure(classifier, file, clips) for file in files]
        result = Exported(
            measured,
            feature_latency(classifier, clips[0].samples),
            sparsity(classifier.model.body),
            reading.skipped,
        )
    text = json.dumps(result.as_json(), indent=2) + "\n"
    (out / f"{name}_{to}.json").write_text(text, encoding="utf-8")
    return result


def _write(
    classifier: Classifier, to: str, calibration: Sequence[Any], out: Path, name: str
) -> list[Artefact]:
    network = nn.Sequential(classifier.model.body, nn.Softmax(1)).eval()
    silence = torch.zeros(1, classifier.model.samples)
    example = classifier.features(silence).contiguous()
    return FORMATS[to](network, example, calibration, out, name)
