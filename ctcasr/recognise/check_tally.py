"""What a check adds up, batch by batch and rank by rank."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import reduce
from operator import add
from typing import Any

from torch import Tensor

from ctcasr.batch import Batch
from ctcasr.ctc import CtcReport
from ctcasr.recognise.samples import Sample, sample
from ctcasr.scoring.errors import ErrorRates
from ctcasr.seq import Seq
from ctcasr.task import Gather
from ctcasr.text import Tokenizer


@dataclass(frozen=True, eq=False)
class CheckTally:
    """Errors, loss, samples and blank statistics of part of a dev set; tallies add."""

    errors: ErrorRates = field(default_factory=ErrorRates)
    loss_sum: float = 0.0  # nats, of feasible utterances
    feasible: int = 0
    samples: tuple[Sample, ...] = ()  # a few of each batch, to choose from
    report: CtcReport | None = None

    @staticmethod
    def of(
        batch: Batch,
        hypotheses: list[str],
        logits: Seq,
        losses: Tensor,
        report: CtcReport,
        tokenizer: Tokenizer,
    ) -> CheckTally:
        """The tally of one batch: its texts, logits [B, T, symbols], losses [B] and report."""
        shown = {0, len(batch) // 3, 2 * len(batch) // 3}
        errors = ErrorRates()
        samples = []
        for row, utterance in enumerate(batch.utterances):
            reference = tokenizer.reference(utterance.text or "").text
            errors += ErrorRates.of(reference, hypotheses[row])
            if row in shown:
                frames = logits.row(row)
                samples.append(sample(utterance, reference, hypotheses[row], frames, tokenizer))
        feasible = len(batch) - len(report.infeasible)
        return CheckTally(errors, float(losses.sum()), feasible, tuple(samples), report)

    def __add__(self, other: CheckTally) -> CheckTally:
        reports = [tally.report for tally in (self, other) if tally.report is not None]
        return CheckTally(
            self.errors + other.errors,
            self.loss_sum + other.loss_sum,
            self.feasible + other.feasible,
            self.samples + other.samples,
            reduce(add, reports) if reports else None,
        )

    def merged(self, gather: Gather) -> CheckTally:
        """This tally and those of all other processes, in the order of their ranks."""
        movable = self
        if self.report is not None:
            movable = CheckTally(
                self.errors, self.loss_sum, self.feasible, self.samples, self.report.cpu()
            )
        return reduce(add, gather(movable))

    @property
    def loss(self) -> float:
        """Nats of an utterance that has an alignment; infinite where none has."""
        if not self.feasible:
            return math.inf
        return self.loss_sum / self.feasible

    def metrics(self) -> dict[str, Any]:
        """What the check's record holds: loss, wer, cer, utterances, empty_hypotheses.

        The rates are None without words.
        """
        return {
            "loss": self.loss,
            "wer": self.errors.words.rate,
            "cer": self.errors.chars.rate,
            "utterances": self.errors.utterances,
            "empty_hypotheses": self.errors.empty,
        }
