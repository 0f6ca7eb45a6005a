"""Presets and checkpoints as subjects: their inputs fit, their stages are the whole network."""

from __future__ import annotations

import pytest
import torch

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


def test_what_sees_gets_frames() -> None:
    audio, frames = find_subject("avse_lstm8").clip(16000)
    assert frames.data.shape[2:] == (128, 128) and frames.lengths[0] == 25
    assert audio.lengths == (16000,)
    _, mouths = find_subject("av_mask").clip(16000)
    assert mouths.data.shape == (1, 25, 28, 40)
    (lips,) = find_subject("lips").clip(75)
    assert lips.data.shape == (1, 75, 28, 40)
