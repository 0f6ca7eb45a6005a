"""What a recogniser is trained for: the CTC loss, and what may be added to it against the blank plateau."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ctcasr.batch import Batch
from ctcasr.ctc import CtcReport, alignment_entropy, ctc_loss
from ctcasr.front import SpecAugment
from ctcasr.recognise.model import SpeechModel
from ctcasr.seq import Seq

_OTHER_VIEW = 0x5DEECE66D  # makes the seeds of the second masked copy


@dataclass(frozen=True)
class Objective:
    """CTC; with `consistency`, of two masked copies that must agree (CR-CTC, arXiv 2410.05101); minus `entropy` x alignment entropy."""

    consistency: float = 0.0
    entropy: float = 0.0

    def __call__(
        self, model: SpeechModel, batch: Batch, augment: SpecAugment | None, blank: int
    ) -> tuple[Seq, Tensor, CtcReport]:
        """Logits of the batch, loss [B] in nats (0 for a row without an alignment) and the report of the lattice."""
        logits = model(batch.audio, augment, batch.seeds)
        rows, report = self._ctc(model, logits, batch, blank)
        if self.consistency and augment is not None:
            other = model(batch.audio, augment, tuple(seed ^ _OTHER_VIEW for seed in batch.seeds))
            twin, _ = self._ctc(model, other, batch, blank)
            apart = _divergence(logits, other) + _divergence(other, logits)
            rows = 0.5 * (
                rows + twin + self.consistency * apart.masked_fill(torch.isinf(report.nll), 0.0)
            )
        if self.entropy:
            rows = rows - self.entropy * alignment_entropy(
                logits.data, batch.targets, logits.lengths, batch.target_lengths, blank=blank
            )
        return logits, rows, report

    @staticmethod
    def _ctc(model: SpeechModel, logits: Seq, batch: Batch, blank: int) -> tuple[Tensor, CtcReport]:
        prior, weight = None, 1.0
        if model.prior is not None:
            model.prior.observe(logits)
            prior, weight = model.prior.log, model.prior.weight
        return ctc_loss(
            logits.data,
            batch.targets,
            logits.lengths,
            batch.target_lengths,
            blank=blank,
            reduction="none",
            zero_infinity=True,
            prior=prior,
            prior_weight=weight,
            return_report=True,
        )


def _divergence(student: Seq, teacher: Seq) -> Tensor:
    """Sum over real frames of KL(teacher || student) [B], in nats; the teacher is not trained by it."""
    log_student, log_teacher = student.data.log_softmax(2), teacher.data.detach().log_softmax(2)
    frames = (log_teacher.exp() * (log_teacher - log_student)).sum(2)
    return frames.masked_fill(~student.mask, 0.0).sum(1)
