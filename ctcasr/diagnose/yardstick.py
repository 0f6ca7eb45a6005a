"""The deaf model of a run: fitted once, on the targets of the first epoch."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ctcasr.batch import Batch
from ctcasr.diagnose.deaf import DeafModel

_REMEMBERED = 4096  # targets of the first epoch
_FITTED_ON = 384  # of them, spread over all: an epoch may come sorted, and its beginning be unlike


class _Row(NamedTuple):
    """What the deaf model is told of an utterance: targets [U] and numbers of frames and labels."""

    targets: Tensor
    frames: int
    labels: int

    @property
    def is_roomy(self) -> bool:
        """Whether the labels leave any choice of where to stand."""
        return self.frames >= 2 * self.labels


class DeafYardstick:
    """Remembers targets until it is asked for the first time; then there is a deaf model.

    Example:
        >>> yardstick = DeafYardstick(classes=39, blank=0)
        >>> yardstick.model is None, sorted(yardstick.state_dict())
        (True, ['frames', 'labels', 'seen', 'targets'])
    """

    def __init__(self, classes: int, blank: int) -> None:
        self.classes = classes
        self.blank = blank
        self.model: DeafModel | None = None
        self._rows: list[_Row] = []
        self._seen: set[str] = set()  # ids of the utterances whose targets are remembered

    def remember(self, batch: Batch, frames: tuple[int, ...]) -> None:
        """Take in the targets of a training batch whose logits had so many frames."""
        if self.model is not None or len(self._rows) >= _REMEMBERED:
            return
        if batch.ids[0] in self._seen:
            return
        self._seen.update(batch.ids)
        self._add(batch.targets.cpu(), frames, batch.target_lengths)

    def _add(self, targets: Tensor, frames: Sequence[int], labels: Sequence[int]) -> None:
        """Remember rows: their targets [sum U], and their numbers of frames and labels."""
        row_targets = targets.split(list(labels))
        for row, row_frames in enumerate(frames):
            self._rows.append(_Row(row_targets[row], row_frames, labels[row]))

    def nll(self, batch: Batch, frames: tuple[int, ...]) -> float:
        """Mean loss in nats of the deaf model over the rows of a batch that have a path.

        NaN as long as there are no training targets to fit it on.
        """
        return finite_mean(self.nlls(batch, frames))

    def nlls(self, batch: Batch, frames: tuple[int, ...]) -> Tensor:
        """Losses [B] in nats of the deaf model; inf without a path, NaN where there is none yet."""
        if self.model is None:
            self.model = self._fit()
        if self.model is None:
            return torch.full((len(batch),), math.nan)
        return self.model.nll(batch.targets, frames, batch.target_lengths)

    def _fit(self) -> DeafModel | None:
        """The deaf model of some of the rows; None where none of them leaves it any choice."""
        every = max(1, math.ceil(len(self._rows) / _FITTED_ON))
        rows = self._rows[::every]
        if not any(row.is_roomy for row in rows):
            return None
        return DeafModel.fit(
            targets=torch.cat([row.targets for row in rows]),
            input_lengths=tuple(row.frames for row in rows),
            target_lengths=tuple(row.labels for row in rows),
            classes=self.classes,
            blank=self.blank,
        )

    def state_dict(self) -> dict[str, Any]:
        """`model`, or `targets`, `frames`, `labels` and `seen`: plain data for a checkpoint."""
        if self.model is not None:
            return {"model": self.model.state_dict()}
        targets = [torch.zeros(0, dtype=torch.int64)]
        targets.extend(row.targets for row in self._rows)
        return {
            "targets": torch.cat(targets),
            "frames": [row.frames for row in self._rows],
            "labels": [row.labels for row in self._rows],
            "seen": sorted(self._seen),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Remember what `state_dict` told."""
        self._rows = []
        self._seen = set()
        self.model = None
        if "model" in state:
            self.model = DeafModel.from_state(state["model"])
            return
        self._add(state["targets"].cpu(), state["frames"], state["labels"])
        self._seen.update(state["seen"])


def finite_mean(losses: Tensor) -> float:
    """Mean of losses [B] without the rows that have no path; NaN where none has one."""
    with_path = losses[~losses.isposinf()]
    if not len(with_path):
        return math.nan
    return float(with_path.mean())
