"""Export a classifier, run every file that comes of it, and report."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ctcasr.batch import Skip, Utterance
from ctcasr.classify.classifier import Classifier
from ctcasr.data import AudioError, fit_length, read_audio
from ctcasr.export.litert import export_litert
from ctcasr.export.measurement import Latency, Measured, feature_latency, measure, network_input
from ctcasr.export.onnx import export_onnx
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
        """Plain data; sizes in bytes, times in milliseconds of one thread."""
        return {
            "sparsity": self.sparsity,
            "features_median_ms": self.features.median_ms,
            "features_p95_ms": self.features.p95_ms,
            "files": [file.as_json() for file in self.files],
            "skipped": [{"where": skip.where, "reason": skip.reason} for skip in self.skipped],
        }

    def __str__(self) -> str:
        head = f"{'file':32} {'kB':>8} {'zipped':>8} {'accuracy':>9} {'as torch':>9} {'median':>8} {'p95':>8} {'total':>8}"
        lines = [
            f"{m.artefact.path.name:32} {m.artefact.size / 1000:8.1f} {m.artefact.zipped / 1000:8.1f} {100 * m.tally.accuracy:7.1f} % "
            f"{100 * m.agreement:7.1f} % {m.network.median_ms:5.2f} ms {m.network.p95_ms:5.2f} ms {m.total.median_ms:5.2f} ms"
            for m in self.files
        ]
        tail = (
            "median and p95 of the network alone, total from samples to probabilities; "
            f"features: median {self.features.median_ms:.2f} ms, p95 {self.features.p95_ms:.2f} ms; one thread; 1 kB = 1000 bytes; "
            f"{100 * self.sparsity:.0f} % of the weights are zero, which makes the zipped file smaller, not the network faster"
        )
        return "\n".join(
            [
                head,
                *lines,
                tail,
                *(f"left out: {skip.where}: {skip.reason}" for skip in self.skipped),
            ]
        )


def export_classifier(
    classifier: Classifier,
    to: str,
    out: Path,
    test: Sequence[Utterance],
    calibrate: Sequence[Utterance] = (),
    name: str = "classifier",
) -> Exported:
    """Write the classifier's network (features to probabilities) to folder `out`, and run every file on the clips of `test`.

    `to` is "onnx" or "litert". The clips of `calibrate` set the ranges of static quantisation; without any it is left out.
    """
    if to not in FORMATS:
        raise ValueError(f"expected one of {', '.join(FORMATS)} to export to; got {to!r}")
    out.mkdir(parents=True, exist_ok=True)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        numbers = {label: index for index, label in enumerate(classifier.classes)}
        clips, labels, skipped = _read(classifier, test, numbers)
        some, _, unread = _read(
            classifier, calibrate[:: max(1, len(calibrate) // _CALIBRATION)][:_CALIBRATION], numbers
        )
        network = nn.Sequential(classifier.model.body, nn.Softmax(1)).eval()
        example = torch.zeros(1, classifier.model.samples)
        seen = [network_input(classifier, clip) for clip in some]
        files = FORMATS[to](network, classifier.features(example).contiguous(), seen, out, name)
        measured = [measure(classifier, file, clips, labels) for file in files]
        found = Exported(
            measured,
            feature_latency(classifier, clips[0]),
            sparsity(classifier.model.body),
            [*skipped, *unread],
        )
    finally:
        torch.set_num_threads(threads)
    (out / f"{name}_{to}.json").write_text(
        json.dumps(found.as_json(), indent=2) + "\n", encoding="utf-8"
    )
    return found


def _read(
    classifier: Classifier, utterances: Sequence[Utterance], numbers: dict[str, int]
) -> tuple[list[Tensor], list[int], list[Skip]]:
    clips, labels, skipped = [], [], []
    for utterance in utterances:
        try:
            if utterance.label not in numbers:
                raise AudioError(f"label {utterance.label!r} is none of the {len(numbers)} classes")
            clips.append(
                fit_length(
                    read_audio(utterance, classifier.rate_hz),
                    classifier.model.samples,
                    classifier.pad,
                )
            )
            labels.append(numbers[utterance.label])
        except AudioError as error:
            skipped.append(Skip(utterance.where or utterance.id, str(error)))
    return clips, labels, skipped
