"""One checked batch: what is counted once, and what is refused by name."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ctcasr.ctc import CTCLoss, InputError, ctc_loss
from ctcasr.ctc.batch import CtcBatch, check_blank, check_lengths, checked, prepare, to_device

ROWS = st.lists(st.lists(st.integers(1, 4), max_size=6), min_size=1, max_size=5)


@given(ROWS, st.integers(0, 3))
def test_padded_and_concatenated_targets_are_the_same_batch(rows, spare):
    lengths = [len(row) for row in rows]
    flat = torch.tensor([label for row in rows for label in row], dtype=torch.int64)
    padded = torch.full((len(rows), max(lengths) + spare), 99)
    for row, labels in enumerate(rows):
        padded[row, : len(labels)] = torch.tensor(labels, dtype=torch.int64)
    logits = torch.zeros(len(rows), 20, 5)
    first, second = (prepare(logits, t, [20] * len(rows), lengths) for t in (flat, padded))
    assert torch.equal(first.targets, second.targets)
    assert first.padded().tolist() == second.padded().tolist()
    for row, labels in enumerate(rows):
        assert first.row(row).tolist() == labels
        repeats = sum(a == b for a, b in pairwise(labels))
        assert first.repeats[row] == repeats
        assert first.slack[row] == 20 - len(labels) - repeats
        assert first.feasible[row] == (first.slack[row] >= 0)


def test_a_batch_that_was_left_unread_is_checked_later():
    unread = CtcBatch(torch.tensor([1, 9]), (5,), (2,), 0, checked=False)
    with pytest.raises(InputError, match=r"row 0, position 1 has label 9"):
        checked(unread, 5)
    assert checked(unread, 10).checked
    read = prepare(torch.zeros(1, 5, 5), torch.tensor([1]), [5], [1])
    assert checked(read, 5) is read


@pytest.mark.parametrize("blank", [-1, 5])
def test_a_wrong_blank_is_explained(blank):
    with pytest.raises(InputError, match=r"blank must lie in 0\.\.4") as error:
        check_blank(blank, 5)
    assert ("the last class is blank=4" in str(error.value)) == (blank < 0)
    check_blank(4, 5)


def test_lengths_are_host_integers_whatever_they_were():
    for lengths in ([3, 4], (3, 4), torch.tensor([3, 4]), torch.tensor([3, 4], dtype=torch.int32)):
        assert check_lengths(lengths, "lengths", 2, 4, "frames") == (3, 4)
    with pytest.raises(
        InputError, match=r"lengths: row 1 has length 5, expected 0\.\.4 \(frames\)"
    ):
        check_lengths([3, 5], "lengths", 2, 4, "frames")
    assert check_lengths(np.array([3, 4]), "lengths", 2, 4, "frames") == (3, 4)
    assert check_lengths([np.int32(3), torch.tensor(4)], "lengths", 2, 4, "frames") == (3, 4)
    assert to_device((3, 4), torch.device("cpu")).tolist() == [3, 4]


NO_LENGTHS = [
    6,
    np.int64(6),
    np.array(6),
    6.0,
    None,
    "66",
    [6.0, 6.0],
    [6, None],
    [6, float("nan")],
    [[6], [6]],
    np.array([[6], [6]]),
    np.array([6.0, 6.0]),
    [True, True],
    torch.tensor([6.0, 6.0]),
    torch.tensor([True, True]),
    torch.tensor([6j, 6j]),
    torch.tensor([[6], [6]]),
]


@pytest.mark.parametrize("name", ["input_lengths", "target_lengths"])
@pytest.mark.parametrize("wrong", NO_LENGTHS, ids=repr)
@pytest.mark.parametrize("loss", [ctc_loss, CTCLoss(batch_first=True)], ids=["function", "module"])
def test_what_is_no_list_of_integers_is_refused_by_name(name, wrong, loss):
    lengths = {"input_lengths": [6, 6], "target_lengths": [6, 6], name: wrong}
    with pytest.raises(InputError, match=rf"^{name} must be 2 integers") as error:
        loss(torch.zeros(2, 6, 3), torch.ones(2, 6, dtype=torch.long), **lengths)
    is_number = isinstance(wrong, int | np.integer) or (
        isinstance(wrong, np.ndarray) and wrong.ndim == 0
    )
    assert ("for rows of equal length write [6] * 2" in str(error.value)) == is_number


@pytest.mark.parametrize("wrong", [None, "6", [6, 6], 6.0, [[6], [6]], True])
def test_one_utterance_has_one_length(wrong):
    one = CTCLoss()
    assert one(torch.zeros(6, 3), torch.tensor([1]), 6, 1) > 0
    assert one(torch.zeros(6, 3), torch.tensor([1]), np.int64(6), (1,)) > 0
    with pytest.raises(InputError, match=r"^input_lengths must be"):
        one(torch.zeros(6, 3), torch.tensor([1]), wrong, 1)
    with pytest.raises(InputError, match=r"^target_lengths must be"):
        one(torch.zeros(6, 3), torch.tensor([1]), 6, wrong)


@pytest.mark.parametrize("targets", [[[1]], np.array([[1]]), None])
def test_targets_are_a_tensor(targets):
    with pytest.raises(InputError, match=r"^targets must be a tensor of integers, got "):
        ctc_loss(torch.zeros(1, 6, 3), targets, [6], [1])


def test_the_prior_is_weighted_once_in_float64():
    prior = torch.tensor([-1.0, -2.0, -3.0])
    batch = prepare(
        torch.zeros(1, 4, 3), torch.tensor([1]), [4], [1], prior=prior, prior_weight=0.5
    )
    assert batch.prior is not None and batch.prior.dtype == torch.float64
    assert batch.prior.tolist() == [-0.5, -1.0, -1.5]
