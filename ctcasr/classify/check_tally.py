"""What a check of a classifier adds up, batch by batch and rank by rank."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import TypedDict

from torch import Tensor

from ctcasr.batch import Utterance
from ctcasr.scoring.confusion import Confusion
from ctcasr.task import Gather


class Sample(TypedDict):
    """One clip of a check, as plain data: its class, and the one that it was taken for."""

    id: str
    reference: str
    hypothesis: str


@dataclass(frozen=True)
class CheckTally:
    """Confusions, loss and samples of some clips; tallies add."""

    confusion: Confusion
    loss_sum: float = 0.0  # nats
    samples: tuple[Sample, ...] = ()

    @staticmethod
    def of(
        classes: Sequence[str],
        utterances: Sequence[Utterance],
        labels: Tensor,
        logits: Tensor,
        loss_sum: float,
    ) -> CheckTally:
        """The tally of clips with labels [B] and logits [B, classes]."""
        pairs = list(zip(labels.tolist(), logits.argmax(1).tolist(), strict=True))
        samples: list[Sample] = []
        for utterance, (true, found) in zip(utterances, pairs, strict=True):
            names = (classes[true], classes[found])
            samples.append({"id": utterance.id, "reference": names[0], "hypothesis": names[1]})
        return CheckTally(Confusion.of(classes, pairs), loss_sum, tuple(samples))

    def __add__(self, other: CheckTally) -> CheckTally:
        return CheckTally(
            self.confusion + other.confusion,
            self.loss_sum + other.loss_sum,
            self.samples + other.samples,
        )

    def merged(self, gather: Gather) -> CheckTally:
        """This tally and those of all other processes, in the order of their ranks."""
        return reduce(add, gather(self))

    @property
    def error_rate(self) -> float:
        """Share of the clips that was taken for another class; infinite where there is none."""
        if not self.confusion.total:
            return math.inf
        return 1 - self.confusion.accuracy

    @property
    def loss(self) -> float:
        """Nats of a clip; infinite where there is none."""
        if not self.confusion.total:
            return math.inf
        return self.loss_sum / self.confusion.total
