"""Labels and lengths that a loss should not have been given are counted."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch

from ctcasr.watching.facts import CallFacts, padding_of, score_sums
from ctcasr.watching.loss_call import SeenRows, rows_of
from ctcasr.watching.seams import LossArguments

CLASSES = 8


def rows(
    targets: Sequence[Sequence[int]], frames: int = 9, lengths: Sequence[int] = ()
) -> SeenRows:
    labels = tuple(torch.tensor(row, dtype=torch.int64) for row in targets)
    input_lengths = tuple(lengths) or (frames,) * len(targets)
    return SeenRows(torch.zeros(len(targets), frames, CLASSES), input_lengths, labels, blank=0)


def counted(*calls: SeenRows) -> dict[str, int]:
    facts = CallFacts(unknown_label=7)
    for call in calls:
        facts.add(call)
    return facts.as_json()


def test_labels_that_cannot_be_are_counted_by_row() -> None:
    counts = counted(rows([[1, 2], [], [0, 3], [8], [-1, 2], [7, 7]]))
    assert counts["rows"] == 6
    assert counts["empty"] == 1
    assert counts["blank_labels"] == 1
    assert counts["out_of_range"] == 2
    assert counts["uncovered"] == 2 and counts["characters"] == 9


@pytest.mark.parametrize(
    ("targets", "padding"),
    [
        ([[1, 2, 0], [3, 0, 0]], 0),
        ([[1, 2, 0], [0, 3, 0]], None),  # the blank is a label, too
        ([[1, 2, 5], [3, 5, 5]], 5),
        ([[1, 2], [3]], None),  # lengths differ: nothing fills them up
        ([[], []], None),
    ],
)
def test_padding_is_told_from_labels(targets: list[list[int]], padding: int | None) -> None:
    assert padding_of(rows(targets)) == padding


def test_a_label_that_fills_up_is_padding_once_there_are_enough_texts() -> None:
    calls = []
    for first in range(1, 7):
        calls.append(rows([[first, 5, 5], [first, 1, 5], [first, 2, 3]]))
    assert counted(*calls[:3])["padded"] == 0
    assert counted(*calls)["padded"] == 6
    assert counted(rows([[1, 2, 0], [3, 0, 0]]))["padded"] == 2


def test_rows_as_long_as_their_batch_tell_something_where_batches_differ() -> None:
    full = [rows([[1], [2]], frames) for frames in (5, 6, 7, 8, 9)]
    assert counted(*full)["full_lengths"] == 10
    assert "full_lengths" not in counted(*[rows([[1], [2]])] * 5)
    assert "full_lengths" not in counted(*[rows([[1]], frames) for frames in (5, 6, 7, 8, 9)])
    cut = [rows([[1], [2]], frames, [frames, 3]) for frames in (5, 6, 7, 8, 9)]
    assert counted(*cut)["full_lengths"] == 5


@pytest.mark.parametrize(
    ("dim", "share", "over"), [(2, 1.0, ""), (0, 0.0, "time"), (1, 0.0, "batch"), (None, 0.0, "")]
)
def test_what_scores_sum_over_is_found(dim: int | None, share: float, over: str) -> None:
    scores = torch.randn(9, 3, CLASSES, generator=torch.Generator().manual_seed(0))
    if dim is not None:
        scores = scores.log_softmax(dim)
    call = LossArguments(scores, torch.tensor([[1], [2], [3]]), (9, 9, 9), (1, 1, 1))
    sums = score_sums(call, rows_of(call))
    assert sums is not None
    assert sums.normalised == share and sums.over == over


def test_nothing_is_told_of_scores_that_are_not_finite() -> None:
    scores = torch.full((4, 1, CLASSES), torch.nan)
    call = LossArguments(scores, torch.tensor([[1]]), (4,), (1,))
    assert score_sums(call, rows_of(call)) is None
