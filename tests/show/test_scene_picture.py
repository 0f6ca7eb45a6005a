"""Spectrograms of scenes: where an enhancer helped and hurt, as pictures in the page itself."""

from __future__ import annotations

import base64
import re
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ctcasr.batch import Utterance
from ctcasr.compare.enhanced import EnhancedFolder
from ctcasr.compare.hearing import Hearing
from ctcasr.compare.scene import Scene
from ctcasr.scoring.errors import ErrorRates
from ctcasr.show.scene_picture import pictures

pytest.importorskip("matplotlib")

TEXT = "a b c d"


@pytest.fixture
def enhanced(tmp_path: Path) -> EnhancedFolder:
    """Five scenes of noise, and files that are said to be enhanced."""
    rng = np.random.default_rng(0)
    for folder in ("noisy", "clean", "enhanced"):
        (tmp_path / folder).mkdir()
        for k in range(5):
            samples = rng.normal(0, 0.1, 4000).astype(np.float32)
            soundfile.write(tmp_path / folder / f"s{k}.wav", samples, 8000)
    return EnhancedFolder.open(tmp_path / "enhanced", "enhanced")


def hearings(folder: Path) -> list[Hearing]:
    """The enhancer mends k errors of scene k and adds one."""
    rows = []
    for k in range(5):
        noisy = Utterance(folder / "noisy" / f"s{k}.wav")
        scene = Scene(noisy, folder / "clean" / f"s{k}.wav", None, TEXT, f"source {k}", snr_db=2.5)
        for condition, errors in (("noisy", 4), ("enhanced", 4 - k)):
            hypothesis = " ".join([*TEXT.split()[: 4 - errors], *["<x>"] * errors])
            tally = ErrorRates.of(TEXT, hypothesis)
            rows.append(
                Hearing(scene, "judge", condition, "ok", hypothesis=hypothesis, errors=tally)
            )
    return rows


def test_the_best_the_middle_and_the_worst_are_drawn(
    enhanced: EnhancedFolder, tmp_path: Path
) -> None:
    figures = pictures(hearings(tmp_path), enhanced, "judge")
    assert [re.findall(r"<h3>(s\d)", figure)[0] for figure in figures] == ["s4", "s2", "s0"]
    assert "+2.5 dB" in figures[0] and "&lt;x&gt;" in figures[2] and "<x>" not in figures[2]
    (image,) = re.findall(r"base64,([^\"]+)", figures[0])
    assert base64.b64decode(image).startswith(b"\x89PNG")
    assert "spectrograms of clean, noisy, enhanced" in figures[0]
    names = re.findall(r"<dt>(\w+)</dt>", figures[0])
    assert names == ["said", "noisy", "enhanced"] and f"<dd>{TEXT}</dd>" in figures[0]


def test_another_judges_rows_and_lost_files_are_passed_over(
    enhanced: EnhancedFolder, tmp_path: Path
) -> None:
    rows = hearings(tmp_path)
    assert pictures(rows, enhanced, "nobody") == []
    (tmp_path / "noisy" / "s4.wav").unlink()
    assert len(pictures(rows, enhanced, "judge")) == 2
