"""The tally of a check adds up over batches and ranks."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from ctcasr.batch import Utterance
from ctcasr.classify.check_tally import CheckTally
from ctcasr.scoring.confusion import Confusion

CLASSES = ("no", "yes")


def tally(*pairs: tuple[int, int]) -> CheckTally:
    """Clips as (class, class that was found)."""
    logits = torch.nn.functional.one_hot(torch.tensor([found for _, found in pairs]), 2).float()
    utterances = [Utterance(Path(f"{true}{found}.wav")) for true, found in pairs]
    labels = torch.tensor([true for true, _ in pairs])
    return CheckTally.of(CLASSES, utterances, labels, logits, loss_sum=0.5 * len(pairs))


def test_rows_are_what_it_was_and_columns_what_it_was_taken_for() -> None:
    counted = tally((0, 0), (0, 1), (1, 1))
    assert counted.confusion.counts.tolist() == [[1, 1], [0, 1]]
    assert counted.samples[1] == {"id": "01", "reference": "no", "hypothesis": "yes"}


def test_parts_add_up_to_the_whole_in_the_order_of_the_ranks() -> None:
    merged = tally((0, 1)).merged(lambda own: [own, tally((1, 1), (0, 0))])
    whole = tally((0, 1), (1, 1), (0, 0))
    assert np.array_equal(merged.confusion.counts, whole.confusion.counts)
    assert merged.samples == whole.samples and merged.loss == pytest.approx(0.5)
    assert merged.error_rate == pytest.approx(1 / 3)


def test_nothing_scored_is_not_good() -> None:
    empty = CheckTally(Confusion.of(CLASSES))
    assert empty.loss == empty.error_rate == math.inf
