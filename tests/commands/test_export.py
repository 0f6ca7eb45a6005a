"""`ctcasr export` of classifiers: what it is compared with, and what it leaves aside, is told."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import soundfile
import torch

from ctcasr import Classifier, checkpoint
from ctcasr.classify.model import ClassifierSpec, build_classifier, classifier_to
from ctcasr.cli import main
from ctcasr.front import FrontSpec
from ctcasr.specs import ConvSpec

SPEC = ClassifierSpec(
    FrontSpec(8000, bands=20, n_fft=256), 0.2, "conv", (ConvSpec(2, (3, 3), (2, 2)),)
)


@pytest.fixture
def export(tmp_path: Path) -> Callable[..., int]:
    """The command on clips of "no", "yes" and "up"."""
    lines = []
    for label in ("no", "yes", "up"):
        draw = torch.Generator().manual_seed(len(label))
        clip = (0.1 * torch.randn(1600, generator=draw)).numpy()
        soundfile.write(tmp_path / f"{label}.wav", clip, 8000)
        lines.append(json.dumps({"audio_filepath": f"{label}.wav", "label": label}) + "\n")
    (tmp_path / "m.jsonl").write_text("".join(lines), encoding="utf-8")

    def run(classes: list[str], against: list[str] | None = None) -> int:
        def saved(name: str, classes: list[str]) -> str:
            model = build_classifier(SPEC, len(classes))
            payload = Classifier.payload(model, classifier_to(SPEC), classes, "silence", {})
            return str(checkpoint.save(tmp_path / name, payload))

        command = ["export", saved("c.pt", classes), "--to", "onnx", "--out", str(tmp_path / "out")]
        command += ["--test", str(tmp_path / "m.jsonl")]
        if against is not None:
            command += ["--against", saved("r.pt", against)]
        return main(command)

    return run


def test_lines_of_other_classes_are_counted(
    export: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("onnxruntime", reason="needs the extra onnx")
    assert export(["no", "yes"]) == 0
    assert "1 of 3 lines are of other classes" in capsys.readouterr().out
    assert export(["left", "right"]) == 1
    assert "expected clips of the classes left, right" in capsys.readouterr().err


def test_a_reference_of_other_classes_is_refused_whatever_their_number(
    export: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert export(["no", "yes"], ["no", "up"]) == 1
    told = capsys.readouterr().err
    assert "of the same classes, no, yes; got one of no, up" in told


def test_a_reference_may_have_its_classes_in_another_order(
    export: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("onnxruntime", reason="needs the extra onnx")
    assert export(["no", "yes"], ["yes", "no"]) == 0
    assert "than the reference" in capsys.readouterr().out
