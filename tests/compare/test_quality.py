"""Metrics over scenes: gains are over the same scene's noisy sound."""

from __future__ import annotations

from pathlib import Path

from ctcasr.batch import Utterance
from ctcasr.compare.quality import metric_failures, summarise_sound
from ctcasr.compare.scene import scene_of
from ctcasr.compare.trial import Quality

SCENES = [scene_of(Utterance(Path(f"{name}.wav"), text="one")) for name in "abc"]


def test_means_medians_and_gains() -> None:
    noisy = [Quality(scene, "noisy", "ok", scores={"x": 1.0}) for scene in SCENES]
    values = [2.0, 4.0, 9.0]
    better = [
        Quality(scene, "e", "ok", scores={"x": value}, lag=3, gain=2.0, oddities=("lag 3",))
        for scene, value in zip(SCENES, values, strict=True)
    ]
    sound = summarise_sound([*noisy, *better])
    assert sound["noisy"].metrics["x"].gain_median is None
    assert sound["e"].as_json() == {
        "scenes": 3,
        "lost": 0,
        "x_mean": 5.0,
        "x_median": 4.0,
        "x_n": 3,
        "x_gain_median": 3.0,
        "lagged": 3,
        "rescaled": 3,
        "odd": 3,
    }


def test_what_is_lost_or_failed_is_counted() -> None:
    lost = Quality(SCENES[0], "e", "missing", "no file")
    failed = [Quality(scene, "e", "ok", failed={"pesq": "too short"}) for scene in SCENES[1:]]
    assert summarise_sound([lost, *failed])["e"].as_json()["lost"] == 1
    assert metric_failures([lost, *failed]) == {"pesq": {"too short": 2}}
