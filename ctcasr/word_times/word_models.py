"""What is learnt about words when the network is done: when they are said, how sure they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from ctcasr.decoding.hypothesis import Hypothesis
from ctcasr.word_times.aligner import WordAligner
from ctcasr.word_times.confidence import Calibration


@dataclass(frozen=True)
class WordModels:
    """Either may be missing: words then keep the frames, or the posteriors, of their symbols.

    Example:
        >>> import torch
        >>> WordModels().applied(torch.zeros(16000), Hypothesis("", (), (), 0.0)).words
        ()
    """

    aligner: WordAligner | None = None
    calibration: Calibration | None = None

    def applied(self, samples: Tensor, hypothesis: Hypothesis) -> Hypothesis:
        """A hypothesis about samples [N], with times and confidences of its words."""
        if self.aligner is not None:
            hypothesis = self.aligner.timed(samples, hypothesis)
        if self.calibration is not None:
            hypothesis = self.calibration.calibrated(hypothesis)
        return hypothesis

    def __str__(self) -> str:
        times = "by their sound" if self.aligner else "of the frames of their symbols"
        confidences = "calibrated" if self.calibration else "posteriors"
        return f"times of words: {times}; confidences: {confidences}"

    def to_state(self) -> dict[str, Any]:
        """Plain data from which `from_state` makes the same."""
        state: dict[str, Any] = {}
        if self.aligner is not None:
            state["aligner"] = self.aligner.to_state()
        if self.calibration is not None:
            state["calibration"] = self.calibration.to_state()
        return state

    @staticmethod
    def from_state(state: Mapping[str, Any]) -> WordModels:
        """What `to_state` gave; of nothing, neither."""
        aligner = None
        calibration = None
        if "aligner" in state:
            aligner = WordAligner.from_state(state["aligner"])
        if "calibration" in state:
            calibration = Calibration.from_state(state["calibration"])
        return WordModels(aligner, calibration)
