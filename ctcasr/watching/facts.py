"""What is wrong with the arguments of a loss: counts over the rows of many calls."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from ctcasr.ctc.observers import LossCall
from ctcasr.diagnose.share import share_set
from ctcasr.watching.loss_call import SeenRows
from ctcasr.watching.seams import LossArguments

ROWS_COUNTED = 4096  # of a part
LEAST_CALLS = 5  # from which on lengths that are all the same tell something
PADDED_END = 2  # equal labels at the end of a row that may be padding
FEW_CLASSES = 4
LEAST_DISTINCT = 12  # texts, from which on equal ends tell something
WITHIN = 1e-2  # nats by which a frame's probabilities may miss one
WITHIN_HALF = 0.1  # in half precision


@dataclass
class CallFacts:
    """Counts over rows; they add up call by call."""

    unknown_label: int | None = None  # what a tokenizer writes for what it does not know
    rows: int = 0
    empty: int = 0  # rows without a label
    padded_by_blank: int = 0  # rows whose labels end in the blank, and
    padded_by_label: int = 0  # in one that fills up others
    blank_labels: int = 0  # rows with the blank of the loss among their labels
    out_of_range: int = 0  # rows with labels for which there is no score
    labels: int = 0
    uncovered: int = 0  # labels that are the unknown one
    full_rows: int = 0  # rows that are told all frames of their batch
    distinct: set[tuple[int, ...]] = field(default_factory=set)  # the first texts
    calls: int = 0
    batch_sizes: Counter[int] = field(default_factory=Counter)
    widths: set[int] = field(default_factory=set)  # frames of the batches

    @property
    def complete(self) -> bool:
        """Whether enough was counted."""
        return self.rows >= ROWS_COUNTED

    def add(self, rows: SeenRows) -> None:
        """Count the rows of a call."""
        self.calls += 1
        self.rows += len(rows)
        self.batch_sizes[len(rows)] += 1
        width = rows.scores.shape[1]
        self.widths.add(width)
        self.full_rows += rows.input_lengths.count(width)
        padding = padding_of(rows)
        for labels in rows.targets:
            self._add_labels(labels.tolist(), rows, padding)

    def _add_labels(self, labels: list[int], rows: SeenRows, padding: int | None) -> None:
        self.labels += len(labels)
        if len(self.distinct) < LEAST_DISTINCT:
            self.distinct.add(tuple(labels))
        if self.unknown_label is not None:
            self.uncovered += labels.count(self.unknown_label)
        if not labels:
            self.empty += 1
            return
        if min(labels) < 0 or max(labels) >= rows.classes:
            self.out_of_range += 1
        if padding is not None and ends_padded(labels, padding, padding == rows.blank):
            if padding == rows.blank:
                self.padded_by_blank += 1
            else:
                self.padded_by_label += 1
        elif rows.blank in labels:
            self.blank_labels += 1

    def as_json(self) -> dict[str, int]:
        """Counts by the names that the causes know."""
        padded = self.padded_by_blank
        if len(self.distinct) >= LEAST_DISTINCT:  # of a few texts, many may end alike
            padded += self.padded_by_label
        counts = {
            "rows": self.rows,
            "empty": self.empty,
            "padded": padded,
            "blank_labels": self.blank_labels,
            "out_of_range": self.out_of_range,
            "labels": self.labels,
        }
        if self.unknown_label is not None:
            counts["characters"] = self.labels
            counts["uncovered"] = self.uncovered
        # Batches as wide as each other need no lengths, and one row has all frames of its own.
        if self.calls >= LEAST_CALLS and len(self.widths) > 1 and self.rows > self.calls:
            counts["full_lengths"] = self.full_rows
        return counts

    @property
    def batch_size(self) -> int:
        """The usual number of rows of a call; 0 without any."""
        return self.batch_sizes.most_common(1)[0][0] if self.batch_sizes else 0


def padding_of(rows: SeenRows) -> int | None:
    """The label that may fill up targets, which are all told to be as long; None where none may.

    The blank of the loss is padding where no row has it but at its end.
    """
    lengths = set(rows.target_lengths)
    if len(rows) < 2 or len(lengths) != 1 or not lengths.pop():
        return None
    ends = Counter(int(labels[-1]) for labels in rows.targets)
    if rows.blank in ends:
        inside = any(has_inside(labels, rows.blank) for labels in rows.targets)
        return None if inside else rows.blank
    # With few symbols, equal labels at the end are no wonder.
    return ends.most_common(1)[0][0] if rows.classes > FEW_CLASSES else None


def has_inside(labels: Tensor, label: int) -> bool:
    """Whether a label stands before another one.

    >>> has_inside(torch.tensor([3, 0, 0]), 0), has_inside(torch.tensor([0, 3, 0]), 0)
    (False, True)
    """
    others = (labels != label).nonzero()
    if not len(others):
        return False
    return bool((labels[: int(others[-1])] == label).any())


def ends_padded(labels: list[int], padding: int, is_blank: bool) -> bool:
    """Whether labels end in `padding`: twice or more, where it may be a real label.

    >>> ends_padded([3, 1, 5, 5], 5, False), ends_padded([3, 1, 5], 5, False)
    (True, False)
    """
    if is_blank:
        return labels[-1] == padding
    return len(labels) >= PADDED_END and set(labels[-PADDED_END:]) == {padding}


@dataclass(frozen=True)
class ScoreSums:
    """Whether the scores that torch's loss is given are log-probabilities."""

    normalised: float  # share of the frames
    over: str = ""  # where not: "time" or "batch" if they sum to one over that

    def as_json(self) -> dict[str, Any]:
        """Plain data."""
        return {"normalised": self.normalised, "normalised_over": self.over}


def score_sums(call: LossCall, rows: SeenRows) -> ScoreSums | None:
    """The sums of a call's scores; None for a loss that normalises by itself."""
    if not isinstance(call, LossArguments):
        return None
    scores = rows.scores.float()
    within = WITHIN if call.log_probs.dtype.itemsize >= torch.float32.itemsize else WITHIN_HALF
    frames = torch.arange(scores.shape[1]) < torch.tensor(rows.input_lengths)[:, None]
    totals = scores.logsumexp(2)[frames.to(scores.device)]
    if not totals.numel() or not bool(totals.isfinite().all()):
        return None
    share = _share_of_zeros(totals, within)
    over = ""
    if share < 0.5:
        if _share_of_zeros(scores.logsumexp(1), within) > 0.5:
            over = "time"
        elif len(rows) > 1 and _share_of_zeros(scores.logsumexp(0), within) > 0.5:
            over = "batch"
    return ScoreSums(share, over)


def _share_of_zeros(totals: Tensor, within: float) -> float:
    return share_set(totals.abs() < within)
