"""Observation adding: how much of the noisy sound each enhancer gets back, for each judge."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ctcasr.compare.scene import Scene
from ctcasr.compare.trial import Trial, added
from ctcasr.scoring.errors import ErrorRates


@dataclass(frozen=True)
class Choice:
    """The share of noisy sound that an enhancer gets for one judge, by the WER of the dev part."""

    judge: str
    enhancer: str
    share: float
    dev_wer: Mapping[float, float]  # share -> WER

    @property
    def is_mixture(self) -> bool:
        """Whether both sounds are in it: 0 is the enhancer itself, 1 the noisy sound."""
        return 0 < self.share < 1

    @property
    def condition(self) -> str:
        """The name of the condition that was chosen."""
        return added(self.enhancer, self.share)


def choose_shares(
    trial: Trial, dev_scenes: Sequence[Scene], enhancers: Sequence[str], shares: Sequence[float]
) -> list[Choice]:
    """For each judge and enhancer the share with the lowest WER on the dev part.

    Of equals the smaller; none without a dev part.
    """
    dev_errors: dict[tuple[str, str], ErrorRates] = {}
    for hearing in trial.part(dev_scenes).hearings:
        if hearing.errors is not None:
            cell = (hearing.judge, hearing.condition)
            dev_errors[cell] = dev_errors.get(cell, ErrorRates()) + hearing.errors
    choices = []
    for judge in dict.fromkeys(hearing.judge for hearing in trial.hearings):
        for enhancer in enhancers:
            dev_wer = {}
            for share in shares:
                errors = dev_errors.get((judge, added(enhancer, share)))
                if errors is not None and errors.words.rate is not None:
                    dev_wer[share] = errors.words.rate
            if dev_wer:
                best_share = min(dev_wer, key=lambda share: (dev_wer[share], share))
                choices.append(Choice(judge, enhancer, best_share, dev_wer))
    return choices
