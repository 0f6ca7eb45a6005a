"""`ctcasr evaluate`: rates in a line and in files; nothing scored is a failure."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ctcasr import Classifier, checkpoint
from ctcasr.classify.model import ClassifierSpec, build_classifier, classifier_to
from ctcasr.cli import main
from ctcasr.commands.evaluate import is_classifier
from ctcasr.front import FrontSpec
from ctcasr.specs import ConvSpec


def test_rates_are_printed_and_written(
    recogniser: Path, recordings: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "scores"
    assert main(["evaluate", str(recogniser), str(recordings), "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    scores = json.loads((out / "scores.json").read_text(encoding="utf-8"))
    assert f"WER {100 * scores['wer']:.2f} %" in printed and "3 utterances" in printed
    assert str(out / "scores.json") in printed
    assert len((out / "hypotheses.jsonl").read_text(encoding="utf-8").splitlines()) == 3


def test_nothing_scored_is_status_1_with_the_reasons(
    recogniser: Path, recordings: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in tmp_path.glob("*.wav"):
        path.write_bytes(b"")
    command = ["evaluate", str(recogniser), str(recordings), "--out", str(tmp_path / "s")]
    assert main(command) == 1
    captured = capsys.readouterr()
    assert "WER" not in captured.out and "a.wav" in captured.err


def test_what_makes_only_sense_with_a_beam_is_refused_without(
    recogniser: Path, recordings: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["evaluate", str(recogniser), str(recordings), "--out", str(tmp_path / "s")]
    assert main([*command, "--hotwords", "one"]) == 1
    assert "--hotwords: expected --beam N" in capsys.readouterr().err


@pytest.fixture
def classifier(tmp_path: Path) -> Path:
    spec = ClassifierSpec(
        FrontSpec(8000, bands=20, n_fft=256), 0.2, "conv", (ConvSpec(2, (3, 3), (2, 2)),)
    )
    model = build_classifier(spec, 2)
    payload = Classifier.payload(model, classifier_to(spec), ["no", "yes"], "silence", {})
    return checkpoint.save(tmp_path / "classifier.pt", payload)


@pytest.mark.parametrize(
    ("flag", "value"),
    [
        ("--beam", "4"),
        ("--lm", "x.arpa"),
        ("--lm-weight", "2"),
        ("--word-bonus", "1"),
        ("--lexicon", "x.txt"),
        ("--hotwords", "yes"),
        ("--hotword-bonus", "2"),
        ("--skip-blank", "0.9"),
        ("--ensemble", "x.pt"),
        ("--speeds", "0.9,1"),
    ],
)
def test_flags_of_decoders_are_refused_beside_a_classifier(
    classifier: Path,
    recordings: Path,
    tmp_path: Path,
    flag: str,
    value: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    command = ["evaluate", str(classifier), str(recordings), "--out", str(tmp_path / "s")]
    assert main([*command, flag, value]) == 1
    assert f"{flag}: expected a recogniser with it" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["r.onnx", "r.ONNX"])
def test_an_onnx_file_is_no_classifier_however_its_ending_is_written(name: str) -> None:
    assert not is_classifier(name)
