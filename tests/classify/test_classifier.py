"""Checkpoints of classifiers; classes out of files and samples."""

from __future__ import annotations

from pathlib import Path

import pytest
import soundfile
import torch

from ctcasr import checkpoint
from ctcasr.checkpoint import CheckpointError
from ctcasr.classify import evaluate_classes
from ctcasr.classify.classifier import Classifier
from ctcasr.classify.model import (
    ClassifierSpec,
    build_classifier,
    classifier_to,
)
from ctcasr.data import AudioError
from ctcasr.front import FrontSpec
from ctcasr.net import Pruner, Schedule
from ctcasr.net.prune import sparsity
from ctcasr.specs import ConvSpec

SMALL = ClassifierSpec(
    FrontSpec(8000, bands=20, n_fft=256, window_s=0.032, hop_s=0.02),
    0.5,
    "conv",
    (ConvSpec(4, (3, 3), (2, 2)),),
)


def noise(count: int, seed: int = 0) -> torch.Tensor:
    return 0.1 * torch.randn(count, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def classifier() -> Classifier:
    torch.manual_seed(0)
    return Classifier(build_classifier(SMALL, 3), ("a", "b", "ç"), classifier_to(SMALL))


def test_classes_do_not_depend_on_the_batch(classifier: Classifier) -> None:
    clips = [noise(n, n) for n in (4000, 100, 1, 9000, 3999)]
    together, alone = (
        classifier.classify(clips, 8000),
        [classifier.classify(clip, 8000)[0] for clip in clips],
    )
    for a, b in zip(together, alone, strict=True):
        assert a.label == b.label and a.probability == pytest.approx(b.probability, abs=1e-5)
        assert sum(a.probabilities.values()) == pytest.approx(1.0, abs=1e-5)


def test_files_at_other_rates_and_with_more_channels(
    classifier: Classifier, tmp_path: Path
) -> None:
    soundfile.write(tmp_path / "a.wav", torch.stack([noise(44100)] * 2, 1).numpy(), 44100)
    assert len(classifier.classify([tmp_path / "a.wav", str(tmp_path / "a.wav")])) == 2
    (tmp_path / "b.wav").write_bytes(b"")
    with pytest.raises(AudioError, match="empty"):
        classifier.classify(tmp_path / "b.wav")
    for wrong, told in (
        (torch.zeros(0), r"expected samples \[N\] or \[channels, N\]"),
        (torch.zeros(9, 2), "more channels than sound"),
        (torch.tensor([float("nan")]), "finite samples"),
        (noise(9) * 32768, "divided by 32768"),
    ):
        with pytest.raises(AudioError, match=told):
            classifier.classify(wrong, 8000)
    for rate_hz in (None, 0, 8000.5):
        with pytest.raises(AudioError, match="expected rate_hz"):
            classifier.classify(noise(9), rate_hz)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="expected rate_hz"):
        classifier.classify(noise(9))


def test_a_checkpoint_brings_everything_back_also_pruned(
    classifier: Classifier, tmp_path: Path
) -> None:
    Pruner(classifier.model.body, Schedule(0.5, 0.5, 0.0, 1.0)).after_step(1, 1)
    path = checkpoint.save(
        tmp_path / "c.pt",
        Classifier.payload(classifier.model, classifier.spec, classifier.classes, "loop", {"n": 1}),
    )
    loaded = Classifier.load(path)
    assert (
        loaded.classes == classifier.classes and loaded.pad == "loop" and loaded.notes == {"n": 1}
    )
    clips = torch.stack([noise(4000, 1), noise(4000, 2)])
    assert torch.equal(loaded.logits(clips), classifier.logits(clips)) and sparsity(
        loaded.model.body
    ) == pytest.approx(0.5, abs=0.02)
    checkpoint.save(path, {"kind": "recogniser"})
    with pytest.raises(CheckpointError, match="expected a classifier"):
        Classifier.load(path)


def test_evaluation_counts_what_it_could_not_score(classifier: Classifier, tmp_path: Path) -> None:
    from ctcasr.batch import Utterance

    soundfile.write(tmp_path / "a.wav", noise(4000).numpy(), 8000)
    (tmp_path / "b.wav").write_bytes(b"RIFF")
    found = classifier.classify(tmp_path / "a.wav")[0].label
    wrong = next(name for name in classifier.classes if name != found)
    lines = [
        Utterance(tmp_path / name, label=label, where=f"m:{n}")
        for n, (name, label) in enumerate(
            [
                ("a.wav", found),
                ("a.wav", wrong),
                ("b.wav", "a"),
                ("a.wav", "zebra"),
                ("none.wav", "a"),
            ]
        )
    ]
    result = evaluate_classes(classifier, lines, batch=2)
    assert (result.tally.correct, result.tally.total) == (1, 2) and [
        skip.where for skip in result.skipped
    ] == ["m:2", "m:3", "m:4"]
    assert "'zebra'" in result.skipped[1].reason
    result.write(tmp_path / "out")
    assert {p.name for p in (tmp_path / "out").iterdir()} == {"scores.json", "predictions.jsonl"}
    assert evaluate_classes(classifier, []).scores()["accuracy"] is None
