"""What a check of an enhancer adds up, batch by batch and rank by rank."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import reduce
from operator import add
from typing import TypedDict

from ctcasr.scoring.distortion import Distortions
from ctcasr.task import Gather


class Sample(TypedDict):
    """One scene of a check, as plain data: SI-SDR before and after, as text in dB."""

    id: str
    reference: str
    hypothesis: str


@dataclass(frozen=True)
class CheckTally:
    """Distortions, losses and samples of some scenes; tallies add. Silent scenes are in none."""

    distortions: Distortions = field(default_factory=Distortions)
    loss_sum: float = 0.0
    listener_sum: float = 0.0  # nats per token
    scenes: int = 0
    samples: tuple[Sample, ...] = ()

    @staticmethod
    def samples_of(ids: list[str], distortions: Distortions) -> tuple[Sample, ...]:
        """What people see of scenes with speech.

        Example:
            >>> CheckTally.samples_of(["a"], Distortions((0.0,), (5.5,)))[0]["hypothesis"]
            '5.5 dB'
        """
        samples: list[Sample] = []
        for name, before, after in zip(ids, distortions.before, distortions.after, strict=True):
            texts = (f"{before:.1f} dB", f"{after:.1f} dB")
            samples.append({"id": name, "reference": texts[0], "hypothesis": texts[1]})
        return tuple(samples)

    def __add__(self, other: CheckTally) -> CheckTally:
        return CheckTally(
            self.distortions + other.distortions,
            self.loss_sum + other.loss_sum,
            self.listener_sum + other.listener_sum,
            self.scenes + other.scenes,
            self.samples + other.samples,
        )

    def merged(self, gather: Gather) -> CheckTally:
        """This tally and those of all other processes, in the order of their ranks."""
        return reduce(add, gather(self))

    @property
    def loss(self) -> float:
        """The objective of a scene; infinite where there is none."""
        if not self.scenes:
            return math.inf
        return self.loss_sum / self.scenes

    @property
    def listener_loss(self) -> float | None:
        """Nats per token of a scene; None where there is none."""
        if not self.scenes:
            return None
        return self.listener_sum / self.scenes
