from __future__ import annotations

import torch

from ctcasr.decoding.hypothesis import Hypothesis, Word
from ctcasr.word_times.confidence import Calibration
from ctcasr.word_times.word_models import WordModels

HYPOTHESIS = Hypothesis("low", (Word("low", 0.1, 0.2, 0.9),), (1,), -1.0)


def test_without_models_nothing_changes() -> None:
    models = WordModels.from_state(WordModels().to_state())
    assert models.applied(torch.zeros(16000), HYPOTHESIS) == HYPOTHESIS


def test_either_model_works_alone() -> None:
    models = WordModels.from_state(WordModels(calibration=Calibration(0.5, 0.0)).to_state())
    assert models.aligner is None
    (word,) = models.applied(torch.zeros(16000), HYPOTHESIS).words
    assert (word.start_s, word.end_s, word.confidence) == (0.1, 0.2, 0.75)
