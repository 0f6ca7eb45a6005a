"""The loss calls of a loop, sorted into training and dev part by whether a gradient is asked for.

A loss under `no_grad` is of the dev part. One that could have a gradient is of training where its
gradient has been asked for by the next optimiser step, else it is of the dev part, too: a loop that
evaluates without `no_grad` is told apart by this alone.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ctcasr.watching.loss_call import SeenRows

DEV_ROWS = 64  # rows of a dev part that are looked at
TRAIN_ROWS = 16  # rows of a training call that are looked at
MOST_PENDING = 8  # calls between two optimiser steps whose rows are kept


class PendingCall:
    """A loss that may be of training: it `went_back` once its gradient was asked for."""

    def __init__(self, rows: SeenRows | None, loss: Tensor) -> None:
        self.rows = rows  # None where they were not copied
        self.went_back = False
        loss.register_hook(self._mark)

    def _mark(self, gradient: Tensor) -> None:
        self.went_back = True


class SeenCalls:
    """Rows of the loss calls since the last check."""

    def __init__(self) -> None:
        self.count = 0  # of all loss calls
        self.has_dev_part = False
        self.training_rows: SeenRows | None = None
        self._dev_calls: list[SeenRows] = []
        self._pending: list[PendingCall] = []
        self._training_known = False  # whether a gradient was ever asked for

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

    def add_pending(self, rows: SeenRows | None, loss: Tensor) -> None:
        """A loss whose gradient may be asked for; rows are copied."""
        if rows is not None:
            rows = rows.first(TRAIN_ROWS).on_host()
        if len(self._pending) >= MOST_PENDING:
            self._pending.pop(0)
        self._pending.append(PendingCall(rows, loss))

    def settle(self) -> None:
        """Sort what waits into training and dev part: an optimiser step, or the end."""
        if any(call.went_back for call in self._pending):
            self._training_known = True
        for call in self._pending:
            if call.rows is None:
                continue
            if call.went_back or not self._training_known:
                self.training_rows = call.rows
            else:
                self.add_dev(call.rows)
        self._pending = []

    def take_dev(self) -> SeenRows | None:
        """The rows of the dev part scored last, as one; None where none was."""
        calls = self._dev_calls
        self._dev_calls = []
        return joined(calls) if calls else None


def joined(calls: list[SeenRows]) -> SeenRows:
    """The rows of several calls as one, padded with zeros."""
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
