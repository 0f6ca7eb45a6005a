"""Figures over scenes: told, written, and refused where there are none."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import soundfile
import torch

from ctcasr.batch import Skip, Utterance
from ctcasr.data import Loader, SceneCorpus
from ctcasr.data.skipped import NothingScoredError
from ctcasr.enhance import Enhance
from ctcasr.enhance.evaluation import SceneScores, score_scenes
from ctcasr.enhance.model import build_enhancer
from ctcasr.enhance.spec import ENHANCERS, enhancer_to


def test_where_no_scene_could_be_scored_the_reasons_are_told() -> None:
    spec = ENHANCERS["mask_tiny"]
    task = Enhance(build_enhancer(spec), enhancer_to(spec))
    scenes = Loader(SceneCorpus([Utterance(Path("gone.wav"))], None, spec.rate_hz), batch_size=1)
    listening = task.listening
    with pytest.raises(NothingScoredError, match=r"gone\.wav"):
        score_scenes(task, scenes)
    assert task.listening == listening


def test_what_is_no_number_is_null(tmp_path: Path) -> None:
    figures = {"si_sdr_input": 1.0, "si_sdr": 2.5, "si_sdr_improvement_median": 1.5, "worse": 0.0}
    scores = SceneScores({**figures, "files": 3.0, "loss": math.inf}, [Skip("m:1", "no target")])
    scores.write(tmp_path / "valid.json")
    written = json.loads((tmp_path / "valid.json").read_text())
    assert written["loss"] is None and written["si_sdr"] == 2.5 and written["skipped"] == 1
    assert str(scores).startswith("SI-SDR 1.00 -> 2.50 dB") and "25 % of the manifest" in str(
        scores
    )


def test_a_scene_is_scored_by_its_target(tmp_path: Path) -> None:
    spec = ENHANCERS["mask_tiny"]
    task = Enhance(build_enhancer(spec), enhancer_to(spec))
    draw = torch.Generator().manual_seed(0)
    clean = 0.1 * torch.randn(spec.rate_hz, generator=draw)
    noisy = clean + 0.1 * torch.randn(spec.rate_hz, generator=draw)
    for name, samples in (("clean", clean), ("noisy", noisy)):
        soundfile.write(tmp_path / f"{name}.wav", samples.numpy(), spec.rate_hz, subtype="FLOAT")
    line = Utterance(tmp_path / "noisy.wav", extra={"target_filepath": str(tmp_path / "clean.wav")})
    scores = score_scenes(task, Loader(SceneCorpus([line], None, spec.rate_hz), batch_size=1))
    assert scores.metrics["files"] == 1 and abs(scores.metrics["si_sdr_input"]) < 1.0
