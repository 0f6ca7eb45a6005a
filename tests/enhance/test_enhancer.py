"""Noisy samples in, samples of the speech out; a checkpoint knows how it was shown its videos."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from ctcasr import checkpoint
from ctcasr.data import AudioError
from ctcasr.enhance.enhancer import Enhancer
from ctcasr.enhance.model import build_enhancer
from ctcasr.enhance.spec import ENHANCERS, VIDEO_MODES, enhancer_to

SPEC = ENHANCERS["mask_tiny"]


def test_loaded_it_does_the_same(saved: Path) -> None:
    torch.manual_seed(0)
    fresh, loaded = Enhancer(build_enhancer(SPEC), enhancer_to(SPEC), {}), Enhancer.load(saved)
    x = 0.1 * torch.randn(3000)
    assert torch.equal(fresh.enhance(x, 16000), loaded.enhance(x, 16000))
    assert loaded.name["listener"] == "abc" and loaded.name["checkpoint"] == "best.pt"


def dualpath(tmp_path: Path, spec: dict, notes: dict) -> Enhancer:  # type: ignore[type-arg]
    model = build_enhancer(ENHANCERS["dualpath_causal"])
    return Enhancer.load(checkpoint.save(tmp_path / "e.pt", Enhancer.payload(model, spec, notes)))


@pytest.mark.parametrize("mode", VIDEO_MODES)
def test_how_videos_are_shown_is_in_the_spec_and_in_older_checkpoints_in_the_settings(
    mode: str, tmp_path: Path
) -> None:
    spec = enhancer_to(ENHANCERS["dualpath_causal"].with_video(mode))
    settings = {"settings": 'video = "as_published"'}
    assert dualpath(tmp_path, spec, settings).video == mode
    old = {**spec, "dualpath": {k: v for k, v in spec["dualpath"].items() if k != "video"}}
    assert dualpath(tmp_path, old, {"settings": f'video = "{mode}"'}).video == mode
    assert dualpath(tmp_path, old, {}).video == "fixed"


@pytest.mark.parametrize("kind", [np.int16, np.int32, np.float64])
def test_what_samples_came_as_does_not_matter(kind: type, saved: Path) -> None:
    enhancer = Enhancer.load(saved)
    whole = np.round(3000 * np.sin(0.05 * np.arange(2000))).astype(np.int16)
    wanted = enhancer.enhance(torch.from_numpy(whole / 32768).float(), 16000)
    scale = {np.int16: 1, np.int32: 65536, np.float64: 1 / 32768}[kind]
    samples = (whole.astype(np.float64) * scale).astype(kind)
    for sound in (samples, torch.from_numpy(samples), np.stack([samples, samples])):
        assert torch.equal(enhancer.enhance(sound, 16000), wanted)


def test_samples_that_cannot_be_sound_are_told(saved: Path) -> None:
    enhancer = Enhancer.load(saved)
    wave = 0.1 * torch.randn(2000)
    for sound, rate_hz, told in (
        (wave, 0, "rate_hz"),
        (wave, None, "rate_hz"),
        (wave * 32768, 16000, "divided by 32768"),
        (torch.stack([wave, -wave]), 16000, "opposite phase"),
    ):
        with pytest.raises(AudioError, match=told):
            enhancer.enhance(sound, rate_hz)


def test_other_checkpoints_are_refused(tmp_path: Path) -> None:
    other = checkpoint.save(tmp_path / "other.pt", {"kind": "recogniser"})
    with pytest.raises(checkpoint.CheckpointError, match="expected an enhancer"):
        Enhancer.load(other)
