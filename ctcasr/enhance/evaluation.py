"""SI-SDR of an enhancer on scenes, once and for all."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ctcasr.batch import Skip
from ctcasr.data import Loader
from ctcasr.data.skipped import refuse_nothing, skip_warning
from ctcasr.enhance.task import Enhance


@dataclass(frozen=True)
class SceneScores:
    """Figures over all scenes that could be scored, and those that could not."""

    metrics: Mapping[str, float]  # as a check of the task gives them
    skipped: Sequence[Skip]

    def __str__(self) -> str:
        """The figures in a line, with a warning where too much was skipped."""
        figures = (
            "SI-SDR {si_sdr_input:.2f} -> {si_sdr:.2f} dB (median improvement "
            "{si_sdr_improvement_median:.2f} dB, {worse} of {files} worse)"
        ).format(**self.metrics)
        warning = skip_warning(self.skipped, int(self.metrics["files"]))
        return f"{figures}, {len(self.skipped)} skipped{warning}"

    def write(self, path: Path) -> None:
        """All of it as JSON; null for what is no number."""
        scores: dict[str, float | None] = {"skipped": len(self.skipped)}
        for name, value in self.metrics.items():
            scores[name] = value if math.isfinite(value) else None
        path.write_text(json.dumps(scores, indent=1) + "\n", encoding="utf-8")


def score_scenes(task: Enhance, scenes: Loader) -> SceneScores:
    """What the task's network makes of all scenes, by SI-SDR alone.

    Raises:
        NothingScoredError: with the first reasons, where no scene could be scored.
    """
    device = next(iter(task.parameters())).device
    listening = task.listening
    task.listening = 0.0
    metrics = task.check(b.to(device) for b in scenes.epoch(0) if b is not None).metrics
    task.listening = listening
    refuse_nothing(scenes.skipped, int(metrics.get("files", 0)))
    return SceneScores(metrics, list(scenes.skipped))
