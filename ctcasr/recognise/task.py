"""Speech recognition: CTC in training, word error rate in checks."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from functools import reduce
from operator import add
from typing import Any

import torch
from torch import nn

from ctcasr.batch import Batch
from ctcasr.ctc import CtcReport, ctc_loss
from ctcasr.diagnose import verdict
from ctcasr.diagnose.evidence import Evidence
from ctcasr.front import SpecAugment
from ctcasr.recognise.model import SpeechModel
from ctcasr.recognise.objective import Objective
from ctcasr.recognise.recogniser import Recogniser
from ctcasr.recognise.samples import greedy_texts, sample, three_of
from ctcasr.recognise.spec import spec_from
from ctcasr.records import Record
from ctcasr.scoring.errors import ErrorRates
from ctcasr.seq import Seq
from ctcasr.specs import describe
from ctcasr.task import Gather, Loss, Score, added, alone
from ctcasr.text import Tokenizer


class Recognise:
    """Trains a SpeechModel to write what is said; `augment` masks features from optimiser step `augment_from` on."""

    def __init__(
        self,
        model: SpeechModel,
        tokenizer: Tokenizer,
        spec: Mapping[str, Any],
        augment: SpecAugment | None = None,
        augment_from: int = 0,
        objective: Objective | None = None,
        blank_penalty: float = 0.0,
        notes: Mapping[str, Any] | None = None,
    ) -> None:
        self.network, self.tokenizer, self.spec = model, tokenizer, dict(spec)
        self.objective, self.blank_penalty = objective or Objective(), blank_penalty
        self.augment, self.augment_from, self.notes = augment, augment_from, dict(notes or {})
        self.evidence = Evidence(
            model,
            tokenizer,
            lambda: self.parameters(),
            lambda: self.blank_penalty,
            lambda logits, penalty: greedy_texts(logits, tokenizer, penalty),
        )

    @property
    def title(self) -> str:
        """The network in a few words."""
        return describe(spec_from(self.spec))

    def parameters(self) -> Iterable[nn.Parameter]:
        """Everything in the network."""
        return self.network.parameters()

    def step(self, batch: Batch, step: int) -> Loss:
        """CTC loss of the utterances that have an alignment; the others are left out and named."""
        augment = self.augment if step >= self.augment_from else None
        logits, rows, report = self.objective(self.network, batch, augment, self.tokenizer.blank)
        self.evidence.train_batch(batch, logits.lengths)
        left_out = tuple(
            f"{batch.ids[row]}: {_infeasible(report, row)}" for row in report.infeasible
        )
        return Loss(rows.sum(), len(batch) - len(left_out), rows.detach(), left_out, report.summary)

    def after_step(self, step: int, total: int) -> None:
        """Nothing."""

    @torch.no_grad()
    def check(self, batches: Iterable[Batch], gather: Gather = alone) -> Score:
        """Word error rate of greedy decoding, loss and blank statistics over all batches; evidence from those of this process."""
        was_training = self.network.training
        self.network.eval()
        tally, total, feasible, samples, report = ErrorRates(), 0.0, 0, [], None
        for batch in batches:
            logits = self.network(batch.audio)
            rows, part = ctc_loss(
                logits.data,
                batch.targets,
                logits.lengths,
                batch.target_lengths,
                blank=self.tokenizer.blank,
                reduction="none",
                zero_infinity=True,
                return_report=True,
            )
            report = part if report is None else report + part
            total, feasible = (
                total + float(rows.sum()),
                feasible + len(batch) - len(part.infeasible),
            )
            hypotheses = self.write(logits)
            self.evidence.dev_batch(batch, logits, hypotheses)
            for row, (utterance, written) in enumerate(
                zip(batch.utterances, hypotheses, strict=True)
            ):
                said = self.tokenizer.normalise(utterance.text or "")
                tally += ErrorRates.of(said, written)
                if row in (
                    0,
                    len(batch) // 3,
                    2 * len(batch) // 3,
                ):  # a few of each batch will do to choose from
                    samples.append(
                        sample(utterance, said, written, logits.row(row), self.tokenizer)
                    )
        found = gather((tally, total, feasible, samples, [report.cpu()] if report else []))
        tally, total, feasible, samples, reports = added(found)
        report = reduce(add, reports) if reports else None
        evidence = self.evidence.figures()
        evidence["masked"] = 0.0 if self.augment is None else self.augment.share
        self.network.train(was_training)
        loss = total / feasible if feasible else math.inf
        figures = {
            "loss": loss,
            "wer": tally.words.rate,
            "cer": tally.chars.rate,
            "utterances": tally.utterances,
            "empty_hypotheses": tally.empty,
        }
        return Score(
            (tally.words.rate, loss),
            figures,
            three_of(samples),
            report.summary() if report else {},
            evidence,
        )

    def judge(self, history: Sequence[Record]) -> Mapping[str, Any] | None:
        """Is it learning, waiting on the blank plateau, or in trouble, and of what kind?"""
        return verdict(history).as_json()

    def write(self, logits: Seq) -> list[str]:
        """The texts that logits [B, T, symbols] spell, by greedy decoding."""
        return greedy_texts(logits, self.tokenizer, self.blank_penalty)

    def export(self) -> dict[str, Any]:
        """What `Recogniser.load` reads."""
        return Recogniser.payload(self.network, self.spec, self.tokenizer, self.notes)


def _infeasible(report: CtcReport, row: int) -> str:
    frames, labels = report.input_lengths[row], report.target_lengths[row]
    repeats = frames - labels - report.slack[row]
    with_repeats = f", {repeats} of them twice in a row" if repeats else ""
    return f"{frames} frames cannot spell {labels} symbols{with_repeats}; use a smaller stride or leave it out"
