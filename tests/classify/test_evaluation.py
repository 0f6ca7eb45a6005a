"""Scores of a classifier: what was not scored is never hidden in a figure."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import soundfile
import torch

from ctcasr import checkpoint
from ctcasr.batch import Utterance
from ctcasr.classify import Classifier, evaluate_classes, read_round
from ctcasr.classify.evaluation import unknown_label
from ctcasr.classify.model import ClassifierSpec, build_classifier, classifier_to
from ctcasr.cli import main
from ctcasr.front import FrontSpec
from ctcasr.specs import ConvSpec

SPEC = ClassifierSpec(
    FrontSpec(8000, bands=20, n_fft=256, window_s=0.032, hop_s=0.02),
    0.5,
    "conv",
    (ConvSpec(4, (3, 3), (2, 2)),),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip and a checkpoint."""
    path = tmp_path_factory.mktemp("classes")
    torch.manual_seed(0)
    soundfile.write(path / "a.wav", (0.1 * torch.randn(4000)).numpy(), 8000)
    model = build_classifier(SPEC, 3)
    payload = Classifier.payload(model, classifier_to(SPEC), ["no", "yes", "up"], "silence", {})
    checkpoint.save(path / "best.pt", payload)
    return path


@pytest.mark.parametrize(
    ("label", "told"),
    [
        ("YES", "did you mean 'yes'?"),
        (1, "the name of a class, not its number"),
        ("left", "is none of the 3 classes (no, yes, up)"),
        (None, "the line has none"),
    ],
)
def test_labels_that_are_no_class_are_no_figure_and_a_failure(
    label: object, told: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = {"audio_filepath": "a.wav", "label": label}
    (folder / "m.jsonl").write_text((json.dumps(line) + "\n") * 5, encoding="utf-8")
    command = ["evaluate", str(folder / "best.pt"), str(folder / "m.jsonl")]
    assert main([*command, "--out", str(folder / "out")]) == 1
    printed = capsys.readouterr()
    assert "accuracy" not in printed.out
    assert "all 5 were skipped" in printed.err and told in printed.err
    scores = json.loads((folder / "out" / "scores.json").read_text(encoding="utf-8"))
    assert scores["accuracy"] is None and len(scores["skipped"]) == 5


def test_half_missing_is_told_in_the_line_of_the_figure(folder: Path) -> None:
    lines = [Utterance(folder / name, label="yes") for name in ("a.wav", "gone.wav")]
    line = str(evaluate_classes(Classifier.load(folder / "best.pt"), lines))
    assert "\n" not in line and "1 skipped; WARNING: 50 %" in line and "gone.wav" in line


def test_predictions_are_a_manifest(folder: Path, tmp_path: Path) -> None:
    lines = [Utterance(folder / "a.wav", duration=0.2, offset=0.1, label="up")]
    evaluate_classes(Classifier.load(folder / "best.pt"), lines).write(tmp_path)
    row = json.loads((tmp_path / "predictions.jsonl").read_text(encoding="utf-8"))
    read = Utterance.from_json(row, Path("/"))
    assert (read.audio_filepath, read.offset, read.duration, read.label) == (
        (folder / "a.wav").resolve(),
        0.1,
        0.2,
        "up",
    )
    assert row["found"] in ("no", "yes", "up") and 0 < row["probability"] <= 1


def test_a_label_near_to_nothing_gets_no_guess() -> None:
    assert unknown_label("zebra", ["no", "yes"]).endswith("(no, yes)")


def test_a_round_is_done_where_its_score_and_its_network_are_there(
    folder: Path, tmp_path: Path
) -> None:
    assert read_round(tmp_path) is None
    lines = [Utterance(folder / "a.wav", label="up")]
    result = evaluate_classes(Classifier.load(folder / "best.pt"), lines)
    result.write(tmp_path / "test")
    assert read_round(tmp_path) is None
    (tmp_path / "best.pt").write_bytes((folder / "best.pt").read_bytes())
    found = read_round(tmp_path)
    assert found is not None and found.counts.tolist() == result.tally.counts.tolist()
