"""Presets and checkpoints as subjects: their inputs fit, their stages are the whole network."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from ctcasr import checkpoint
from ctcasr.card import find_subject
from ctcasr.card.subject import CLASSIFIER, ENHANCER, RECOGNISER


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("default", RECOGNISER),
        ("lips", RECOGNISER),
        ("kws_cnn", CLASSIFIER),
        ("mask_tiny", ENHANCER),
        ("av_mask", ENHANCER),
    ],
)
def test_stages_give_what_the_network_gives(name: str, kind: str) -> None:
    subject = find_subject(name)
    assert subject.kind == kind and subject.path is None
    samples = round((subject.clip_s or 0.5) * subject.rate_hz)
    clip = subject.clip(samples)
    with torch.no_grad():
        whole = subject.model(*clip)
        value = None
        for stage_name, stage in subject.stages(clip):
            if stage_name != "decoding":
                value = stage(value)
    if isinstance(whole, tuple):  # a classifier's scores, and its layers' outputs
        whole = whole[0]
    whole = getattr(whole, "data", whole)
    staged = getattr(value, "data", value)
    assert isinstance(staged, torch.Tensor) and torch.allclose(staged, whole, atol=1e-5)


@pytest.mark.parametrize(
    ("content", "changes", "kind"),
    [
        ("hidden = 8", "layers=1 front.norm=pca", RECOGNISER),
        ('network = "bcresnet"\nfront.bands = 40', "", CLASSIFIER),
        ('network = "dualpath"', "dualpath.hidden=8", ENHANCER),
    ],
)
def test_a_toml_file_is_whatever_its_fields_describe(
    content: str, changes: str, kind: str, tmp_path: Path
) -> None:
    path = tmp_path / "net.toml"
    path.write_text(content, encoding="utf-8")
    assert find_subject(f"{path} {changes}".strip()).kind == kind


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("hiden = 8", "no recogniser: .*did you mean 'hidden'.*; no classifier: .*; no enhancer: "),
        ("hidden =", r"^[^;]*net\.toml: expected TOML; [^;]*$"),
    ],
)
def test_a_toml_file_that_describes_no_network_says_why(
    content: str, told: str, tmp_path: Path
) -> None:
    path = tmp_path / "net.toml"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ValueError, match=told):
        find_subject(str(path))


def test_what_sees_gets_frames() -> None:
    audio, frames = find_subject("avse_lstm8").clip(16000)
    assert frames.data.shape[2:] == (128, 128) and frames.lengths[0] == 25
    assert audio.lengths == (16000,)
    _, mouths = find_subject("av_mask").clip(16000)
    assert mouths.data.shape == (1, 25, 28, 40)
    (lips,) = find_subject("lips").clip(75)
    assert lips.data.shape == (1, 75, 28, 40)


def test_a_run_folder_and_a_missing_checkpoint_are_told_as_such(tmp_path: Path) -> None:
    with pytest.raises(checkpoint.CheckpointError, match="it is a folder"):
        find_subject(str(tmp_path))
    with pytest.raises(checkpoint.CheckpointError, match="no such file"):
        find_subject(str(tmp_path / "best.pt"))
