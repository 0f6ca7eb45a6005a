"""The loss calls of a loop, sorted into training and dev part by whether a gradient is asked for.

A loss under `no_grad` is of the dev part. One that could have a gradient is of training where its
gradient has been asked for by the next optimiser step, else it is of the dev part, too: a loop that
evaluates without `no_grad` is told apart by this alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ctcasr.watching.loss_call import SeenRows

DEV_ROWS = 64  # rows of a dev part that are looked at
TRAIN_ROWS = 16  # rows of a training call that are looked at
MOST_PENDING = 8  # calls between two optimiser steps whose rows are kept
STALE = 1.05  # times the steps at which training rows were kept: newer ones are kept from here on
STALE_STEPS = 5  # and so many steps besides


class Head(NamedTuple):
    """What tells the losses of one output of a network from those of another."""

    classes: int
    blank: int


class Moment(NamedTuple):
    """A place in the course of a training: optimiser steps, and seconds since its beginning."""

    step: int
    time_s: float


@dataclass(frozen=True)
class KeptRows:
    """Rows on the host that may be looked at later, and when they were scored."""

    rows: SeenRows
    scored: Moment


class PendingCall:
    """A loss that may be of training: it `went_back` once its gradient was asked for."""

    def __init__(self, rows: SeenRows | None, loss: Tensor, in_training_mode: bool) -> None:
        self.rows = rows  # None where they were not copied
        self.in_training_mode = in_training_mode
        self.went_back = False
        loss.register_hook(self._mark)

    def _mark(self, gradient: Tensor) -> None:
        self.went_back = True


class SeenCalls:
    """Rows of the loss calls since the last check."""

    def __init__(self) -> None:
        self.count = 0  # of all loss calls
        self.has_dev_part = False
        self.training: KeptRows | None = None
        self.dev: KeptRows | None = None  # the dev part taken last
        self.training_known = False  # whether a gradient was ever asked for
        self.mode_tells = True  # no loss in evaluation mode was of training
        self._head: Head | None = None
        self._head_trains = False
        self._dev_calls: list[SeenRows] = []
        self._pending: list[PendingCall] = []

    def is_first_head(self, head: Head, trains: bool) -> bool:
        """Whether a loss is of the head that is looked at: the first one that `trains`."""
        if self._head is None or (trains and not self._head_trains):
            if self._head != head:  # what was scored before is of another network
                self.has_dev_part = False
                self._dev_calls = []
            self._head = head
            self._head_trains = trains
        return head == self._head

    @property
    def dev_is_waiting(self) -> bool:
        """Whether a dev part has been scored since it was last taken."""
        return bool(self._dev_calls)

    @property
    def wants_dev(self) -> bool:
        """Whether rows of a dev part are looked at: not where there are enough since last taken."""
        return sum(map(len, self._dev_calls)) < DEV_ROWS

    def add_dev(self, rows: SeenRows) -> None:
        """A loss without a gradient."""
        self.has_dev_part = True
        if self.wants_dev:
            self._dev_calls.append(rows.first(DEV_ROWS).on_host())

    @property
    def some_wait(self) -> bool:
        """Whether gradients of earlier losses were not asked for: this may be an evaluation."""
        return any(not call.went_back for call in self._pending)

    def wants_training(self, step: int) -> bool:
        """Whether the training rows kept are too old to tell how training is now."""
        return self.training is None or step >= STALE * self.training.scored.step + STALE_STEPS

    def add_pending(
        self, rows: SeenRows | None, loss: Tensor, in_training_mode: bool = True
    ) -> None:
        """A loss whose gradient may be asked for; rows are copied."""
        if rows is not None:
            rows = rows.first(TRAIN_ROWS).on_host()
        if len(self._pending) >= MOST_PENDING:
            self._pending.pop(0)
        self._pending.append(PendingCall(rows, loss, in_training_mode))

    def settle(self, now: Moment) -> None:
        """Sort what waits into training and dev part: an optimiser step, or the end."""
        if any(call.went_back for call in self._pending):
            self.training_known = True
        for call in self._pending:
            if call.went_back and not call.in_training_mode:
                self.mode_tells = False
            if call.rows is None:
                continue
            if call.went_back or not self.training_known:
                self.training = KeptRows(call.rows, now)
            else:
                self.add_dev(call.rows)
        self._pending = []

    def take_dev(self, now: Moment) -> KeptRows | None:
        """The rows of the dev part that was just scored, as one; None where none was."""
        if not self._dev_calls:
            return None
        self.dev = KeptRows(joined(self._dev_calls), now)
        self._dev_calls = []
        return self.dev


def joined(calls: list[SeenRows]) -> SeenRows:
    """The rows of several calls of one head as one, padded with zeros."""
    frames = max(rows.scores.shape[1] for rows in calls)
    scores = []
    input_lengths: list[int] = []
    targets: list[Tensor] = []
    for rows in calls:
        missing = frames - rows.scores.shape[1]
        scores.append(nn.functional.pad(rows.scores, (0, 0, 0, missing)))
        input_lengths.extend(rows.input_lengths)
        targets.extend(rows.targets)
    return SeenRows(torch.cat(scores), tuple(input_lengths), tuple(targets), calls[0].blank)
