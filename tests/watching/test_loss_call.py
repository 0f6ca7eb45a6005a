"""Rows of a loss call: whatever layout torch takes, the same rows come out."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ctcasr.watching.loss_call import SeenRows, edit_distance, rows_of
from ctcasr.watching.seams import LossArguments

LOG_PROBS = torch.randn(6, 2, 4, generator=torch.Generator().manual_seed(0)).log_softmax(2)
PADDED = torch.tensor([[1, 2], [3, 0]])
LABELS = st.lists(st.integers(1, 3), max_size=6)


def equal(rows: SeenRows, other: SeenRows) -> bool:
    return (
        torch.equal(rows.scores, other.scores)
        and rows.input_lengths == other.input_lengths
        and [labels.tolist() for labels in rows.targets]
        == [labels.tolist() for labels in other.targets]
    )


def test_padded_and_concatenated_targets_are_the_same_rows() -> None:
    padded = rows_of(LossArguments(LOG_PROBS, PADDED, torch.tensor([6, 5]), torch.tensor([2, 1])))
    flat = rows_of(LossArguments(LOG_PROBS, torch.tensor([1, 2, 3]), (6, 5), (2, 1)))
    assert equal(padded, flat)
    assert [labels.tolist() for labels in padded.targets] == [[1, 2], [3]]
    assert padded.flat_targets.tolist() == [1, 2, 3]


def test_one_utterance_without_a_batch_is_a_batch_of_one() -> None:
    single = rows_of(LossArguments(LOG_PROBS[:, 0], PADDED[0], torch.tensor(6), torch.tensor(2)))
    assert len(single) == 1
    assert torch.equal(single.scores[0], LOG_PROBS[:, 0])


def test_lengths_that_do_not_fit_are_refused_by_their_numbers() -> None:
    with pytest.raises(ValueError, match="2 rows; got 1 input"):
        rows_of(LossArguments(LOG_PROBS, PADDED, (6,), (2, 1)))
    with pytest.raises(ValueError, match="expected 4 concatenated labels; got 3"):
        rows_of(LossArguments(LOG_PROBS, torch.tensor([1, 2, 3]), (6, 5), (2, 2)))


def test_the_first_rows_lose_frames_that_only_others_had() -> None:
    rows = rows_of(LossArguments(LOG_PROBS, PADDED, (3, 6), (2, 1))).first(1)
    assert rows.scores.shape == (1, 3, 4)


def test_a_copy_on_the_host_does_not_follow_the_loop() -> None:
    scores = LOG_PROBS.clone()
    rows = rows_of(LossArguments(scores, PADDED, (6, 5), (2, 1))).on_host()
    before = rows.scores.clone()
    scores.zero_()
    assert torch.equal(rows.scores, before)


def test_rows_with_the_blank_or_without_a_score_for_a_label_are_left_out() -> None:
    targets = torch.tensor([[1, 2], [2, 0]])
    rows = rows_of(LossArguments(LOG_PROBS, targets, (6, 5), (2, 2)))
    assert [labels.tolist() for labels in rows.sound().targets] == [[1, 2]]
    assert rows.sound().input_lengths == (6,)
    assert len(rows_of(LossArguments(LOG_PROBS, targets + 99, (6, 5), (2, 2))).sound()) == 0


@given(LABELS, LABELS)
def test_the_edit_distance_balances_lengths_and_is_smallest_for_equals(
    reference: list[int], hypothesis: list[int]
) -> None:
    substitutions, deletions, insertions = edit_distance(reference, hypothesis)
    assert len(reference) - deletions + insertions == len(hypothesis)
    assert (substitutions + deletions + insertions == 0) == (reference == hypothesis)
    assert substitutions + deletions + insertions <= max(len(reference), len(hypothesis))
    turned = edit_distance(hypothesis, reference)
    assert sum(turned) == substitutions + deletions + insertions
