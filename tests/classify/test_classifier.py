"""Specs, networks and checkpoints of classifiers; classes out of files and samples."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import soundfile
import torch

from ctcasr import checkpoint
from ctcasr.checkpoint import CheckpointError
from ctcasr.classify import evaluate_classes
from ctcasr.classify.classifier import Classifier
from ctcasr.classify.model import (
    CLASSIFIERS,
    ClassifierSpec,
    build_classifier,
    classifier_from,
    classifier_to,
    describe_classifier,
    read_classifier,
)
from ctcasr.data import AudioError
from ctcasr.front import FrontSpec
from ctcasr.net import Pruner, Schedule
from ctcasr.net.prune import sparsity
from ctcasr.seq import Seq
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


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_presets_are_plain_data_and_back(name: str) -> None:
    spec = read_classifier(name)
    assert classifier_from(classifier_to(spec)) == spec and describe_classifier(spec)


@pytest.mark.parametrize("name", [n for n in CLASSIFIERS if not n.endswith("_spec")])
def test_presets_take_a_clip(name: str) -> None:
    spec = read_classifier(name)
    model = build_classifier(spec, 4).eval()
    if model.front.needs_statistics:
        model.front.fit([Seq.stack([noise(spec.samples)], spec.front.rate_hz)])
    with torch.no_grad():
        logits, side = model(
            Seq.stack([noise(spec.samples, n) for n in range(2)], spec.front.rate_hz)
        )
    assert logits.shape == (2, 4) and side == ()


def test_the_keyword_front_end_gives_97_frames_of_20_bands() -> None:
    spec = read_classifier("kws_cnn")
    model = build_classifier(spec, 2)
    model.front.fit([Seq.stack([noise(16000)], 16000)])
    assert model.features(Seq.stack([noise(16000)], 16000)).shape == (1, 1, 20, 97)
    assert [c.channels for c in spec.conv] == [128, 64, 32, 16]


def test_big_networks_see_a_picture_of_three_equal_channels() -> None:
    spec = read_classifier("resnet_spec_as_published")
    model = build_classifier(spec, 2)
    samples = Seq.stack([noise(spec.samples)], spec.front.rate_hz)
    model.front.fit([samples])
    picture = model.features(samples)
    assert picture.shape == (1, 3, 224, 224) and torch.equal(picture[:, 0], picture[:, 2])


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"network": "vgg"}, "got 'vgg'"),
        ({"network": "resnet"}, "size of a picture"),
        ({"network": "bcresnet"}, "multiple of 40"),
    ],
)
def test_specs_that_describe_nothing_are_refused(change: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        build_classifier(classifier_from({**classifier_to(SMALL), **change}), 2)


def test_unknown_presets_keys_and_single_classes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="did you mean 'kws_cnn'"):
        read_classifier("kws_cn")
    (tmp_path / "net.toml").write_text("clip_ss = 1.0\n", encoding="utf-8")
    with pytest.raises(ValueError, match="did you mean 'clip_s'"):
        read_classifier(str(tmp_path / "net.toml"))
    with pytest.raises(ValueError, match="two classes or more"):
        build_classifier(SMALL, 1)


def test_clips_of_another_length_are_refused(classifier: Classifier) -> None:
    with pytest.raises(ValueError, match=r"clips of 4000 samples; got \[3000, 4000\]"):
        classifier.model(Seq.stack([noise(4000), noise(3000)], 8000))


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
