"""What a recogniser is trained for: CTC, and what may be added against the blank plateau."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from ctcasr.batch import Batch
from ctcasr.ctc import CtcReport, Star, StarSchedule, alignment_entropy, ctc_loss, ctc_report
from ctcasr.front import SpecAugment
from ctcasr.recognise.model import SpeechModel
from ctcasr.seq import Seq

_OTHER_VIEW = 0x5DEECE66D  # makes the seeds of the second masked copy


class Objected(NamedTuple):
    """What came of one batch."""

    logits: Seq  # [B, T, symbols]
    losses: Tensor  # [B] nats; 0 for a row without an alignment
    report: CtcReport  # of the lattice


@dataclass(frozen=True)
class Objective:
    """CTC, with what may be added.

    `consistency` weighs the divergence of two masked copies that must agree (CR-CTC,
    arXiv 2410.05101), `entropy` the entropy of the alignment, which is taken off the loss. With a
    `star`, transcripts may be left where they are wrong (OTC, arXiv 2309.15796).
    """

    consistency: float = 0.0
    entropy: float = 0.0
    star: StarSchedule | None = None

    def __call__(
        self,
        model: SpeechModel,
        batch: Batch,
        augment: SpecAugment | None,
        blank: int,
        step: int = 0,
    ) -> Objected:
        """Logits and losses of the batch at an optimiser step, and the report of plain CTC."""
        logits = model(batch.audio, augment, batch.seeds)
        star = None if self.star is None else self.star.at(step)
        losses, report = _ctc(model, logits, batch, blank, star)
        if self.consistency and augment is not None:
            other_seeds = tuple(seed ^ _OTHER_VIEW for seed in batch.seeds)
            other_logits = model(batch.audio, augment, other_seeds)
            other_losses, _ = _ctc(model, other_logits, batch, blank, star)
            apart = _divergence(logits, other_logits) + _divergence(other_logits, logits)
            apart = apart.masked_fill(torch.isinf(report.nll), 0.0)
            losses = 0.5 * (losses + other_losses + self.consistency * apart)
        if self.entropy:
            entropy = alignment_entropy(
                logits.data, batch.targets, logits.lengths, batch.target_lengths, blank=blank
            )
            losses = losses - self.entropy * entropy
        return Objected(logits, losses, report)


def _ctc(
    model: SpeechModel, logits: Seq, batch: Batch, blank: int, star: Star | None
) -> tuple[Tensor, CtcReport]:
    """CTC losses [B], with the label priors that the model keeps."""
    prior = None
    prior_weight = 1.0
    if model.prior is not None:
        model.prior.observe(logits)
        prior = model.prior.log
        prior_weight = model.prior.weight
    lengths = (logits.lengths, batch.target_lengths)
    if star is not None:
        losses = ctc_loss(
            logits.data,
            batch.targets,
            *lengths,
            blank=blank,
            reduction="none",
            zero_infinity=True,
            prior=prior,
            prior_weight=prior_weight,
            star=star,
        )
        # What is learnt from is told by the transcripts as they stand.
        return losses, ctc_report(logits.data, batch.targets, *lengths, blank=blank)
    return ctc_loss(
        logits.data,
        batch.targets,
        *lengths,
        blank=blank,
        reduction="none",
        zero_infinity=True,
        prior=prior,
        prior_weight=prior_weight,
        return_report=True,
    )


def _divergence(student: Seq, teacher: Seq) -> Tensor:
    """KL(teacher || student) [B] over real frames, in nats; the teacher is not trained by it."""
    log_student = student.data.log_softmax(2)
    log_teacher = teacher.data.detach().log_softmax(2)
    frames = (log_teacher.exp() * (log_teacher - log_student)).sum(2)
    return frames.masked_fill(~student.mask, 0.0).sum(1)
