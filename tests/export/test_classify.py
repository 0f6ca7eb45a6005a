"""Exporting a classifier: files, figures, and nothing scored is a failure."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import soundfile
import torch

from ctcasr.batch import Utterance
from ctcasr.classify.classifier import Classifier
from ctcasr.classify.model import ClassifierSpec, build_classifier, classifier_to
from ctcasr.data.skipped import NothingScoredError
from ctcasr.export import export_classifier
from ctcasr.front import FrontSpec
from ctcasr.specs import ConvSpec


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    torch.manual_seed(0)
    spec = ClassifierSpec(
        FrontSpec(8000, bands=20, n_fft=256), 0.2, "conv", (ConvSpec(2, (3, 3), (2, 2)),)
    )
    return Classifier(build_classifier(spec, 2), ("a", "b"), classifier_to(spec))


def test_unknown_formats_and_empty_test_sets_are_refused(
    classifier: Classifier, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match="onnx, litert to export to; got 'coreml'"):
        export_classifier(classifier, "coreml", tmp_path, [])
    with pytest.raises(NothingScoredError, match="the manifest has none"):
        export_classifier(classifier, "onnx", tmp_path, [])
    unread = [Utterance(tmp_path / "gone.wav", label="a"), Utterance(tmp_path / "x.wav", label="A")]
    with pytest.raises(NothingScoredError, match=r"gone\.wav(.|\n)*did you mean 'a'"):
        export_classifier(classifier, "onnx", tmp_path, unread)


def test_files_and_figures(classifier: Classifier, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime", reason="needs the extra onnx")
    lines = []
    for index in range(3):
        draw = torch.Generator().manual_seed(index)
        soundfile.write(
            tmp_path / f"{index}.wav", (0.1 * torch.randn(1600, generator=draw)).numpy(), 8000
        )
        lines.append(Utterance(tmp_path / f"{index}.wav", label="ab"[index % 2]))
    lines.append(Utterance(tmp_path / "gone.wav", label="a"))
    threads = torch.get_num_threads()
    result = export_classifier(classifier, "onnx", tmp_path / "out", lines, lines[:2], "net")
    assert torch.get_num_threads() == threads
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"net.onnx", "net_int8_dynamic.onnx", "net_int8_static.onnx", "net_onnx.json"}
    data = json.loads((tmp_path / "out" / "net_onnx.json").read_text(encoding="utf-8"))
    assert [file["file"] for file in data["files"]] == [f.artefact.path.name for f in result.files]
    assert data["files"][0]["agreement"] == 1.0 and data["files"][0]["clips"] == 3
    assert len(data["skipped"]) == 1 and "left out:" in str(result)
