"""What a file is worth: accuracy, agreement with torch, time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from ctcasr.batch import Utterance
from ctcasr.classify.classifier import Classifier
from ctcasr.classify.evaluation import LabelledClip
from ctcasr.classify.model import ClassifierSpec, build_classifier, classifier_to
from ctcasr.export import Artefact, Latency, measure
from ctcasr.export.artefact import Floats
from ctcasr.export.measurement import network_input
from ctcasr.front import FrontSpec
from ctcasr.specs import ConvSpec


def test_latency_is_a_median_and_a_tail() -> None:
    calls: list[int] = []
    found = Latency.of(lambda: calls.append(0), 20)
    assert len(calls) == 23 and 0 <= found.median_ms <= found.p95_ms


def classifier() -> Classifier:
    torch.manual_seed(0)
    spec = ClassifierSpec(
        FrontSpec(8000, bands=20, n_fft=256), 0.2, "conv", (ConvSpec(2, (3, 3), (2, 2)),)
    )
    return Classifier(build_classifier(spec, 2), ("a", "b"), classifier_to(spec))


def clip(seed: int, label: int) -> LabelledClip:
    noise = 0.1 * torch.randn(1600, generator=torch.Generator().manual_seed(seed))
    return LabelledClip(Utterance(Path(f"{seed}.wav")), noise, label)


def file_that(path: Path, run: object) -> Artefact:
    path.write_bytes(b"some bytes")
    return Artefact(path, "fake", "float32", lambda _: run)  # type: ignore[arg-type,return-value]


def test_a_file_that_computes_as_torch_does_agrees_with_it(tmp_path: Path) -> None:
    own = classifier()
    network = torch.nn.Sequential(own.model.body, torch.nn.Softmax(1)).eval()

    def run(features: Floats) -> Floats:
        with torch.no_grad():
            return network(torch.from_numpy(features)).numpy()

    clips = [clip(seed, seed % 2) for seed in range(6)]
    found = measure(own, file_that(tmp_path / "f", run), clips, runs=3)
    assert found.agreement == 1.0 and found.tally.total == 6
    right = [int(own.logits(c.samples[None]).argmax()) == c.label for c in clips]
    assert found.tally.accuracy == np.mean(right)
    data = found.as_json()
    assert data["bytes"] == 10 and data["clips"] == 6 and data["file"] == "f"
    assert found.total.median_ms >= 0 and "f" in str(found)


def test_a_file_that_computes_something_else_does_not(tmp_path: Path) -> None:
    own = classifier()
    clips = [clip(seed, 0) for seed in range(4)]
    wrong = [1 - int(own.logits(c.samples[None]).argmax()) for c in clips]
    answers = {
        network_input(own, c.samples).tobytes(): w for c, w in zip(clips, wrong, strict=True)
    }

    def run(features: Floats) -> Floats:
        return np.eye(2, dtype=np.float32)[[answers[features.tobytes()]]]

    assert measure(own, file_that(tmp_path / "f", run), clips, runs=1).agreement == 0.0


def test_no_clip_is_told(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least one clip"):
        measure(classifier(), file_that(tmp_path / "f", None), [])
