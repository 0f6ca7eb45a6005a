"""Speech recognition: CTC in training, word error rate in checks."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import nn

from ctcasr.batch import Batch
from ctcasr.ctc import ctc_loss
from ctcasr.ctc.batch import CtcBatch
from ctcasr.decoding.decoder import check_width
from ctcasr.diagnose import verdict
from ctcasr.diagnose.evidence import Evidence
from ctcasr.recognise.check_tally import CheckTally
from ctcasr.recognise.model import Augmentation, SpeechModel
from ctcasr.recognise.objective import Objective, WordMarks
from ctcasr.recognise.recogniser import Recogniser
from ctcasr.recognise.samples import greedy_texts
from ctcasr.recognise.spec import spec_from
from ctcasr.records import Record
from ctcasr.seq import Seq
from ctcasr.specs import describe
from ctcasr.task import Gather, Loss, LossRefused, Score, alone, three_of
from ctcasr.text import Tokenizer


class Recognise:
    """Trains a SpeechModel to write what is said.

    `augment` masks features from optimiser step `augment_from` on; `blank_penalty` nats are taken
    off the blank in checks.
    """

    def __init__(
        self,
        model: SpeechModel,
        tokenizer: Tokenizer,
        spec: Mapping[str, Any],
        augment: Augmentation | None = None,
        augment_from: int = 0,
        objective: Objective | None = None,
        blank_penalty: float = 0.0,
        notes: Mapping[str, Any] | None = None,
    ) -> None:
        """Raises ValueError where the network has not one output for each symbol."""
        check_width(model.symbols, tokenizer)
        self.network = model
        self.tokenizer = tokenizer
        self.spec = dict(spec)
        self.augment = augment
        self.augment_from = augment_from
        self.objective = objective or Objective()
        self._marks = WordMarks.of(tokenizer)
        self.blank_penalty = blank_penalty
        self.notes = dict(notes or {})
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
        """CTC loss of the utterances that have an alignment; the others are left out and named.

        Raises:
            LossRefused: where labels or lengths are none that the loss can take.
        """
        augment = self.augment
        if step < self.augment_from:
            augment = None
        blank = self.tokenizer.blank
        try:
            objected = self.objective(
                self.network, batch, augment, blank, step, self._marks, self.augment_from
            )
        except ValueError as error:
            raise LossRefused(str(error), self.evidence.facts_of_refused(batch)) from error
        frames = objected.frames
        losses = objected.losses
        report = objected.report
        self.evidence.train_batch(batch, frames)
        lattice = CtcBatch(batch.targets, frames, batch.target_lengths, blank)
        left_out = tuple(
            f"{batch.utterances[row].full_name}: {infeasibility(lattice, row)}"
            for row, feasible in enumerate(lattice.feasible)
            if not feasible
        )
        weight = len(batch) - len(left_out)
        return Loss(
            losses.sum(),
            weight,
            losses.detach(),
            left_out,
            lambda: report().summary(),
            as_written=objected.as_written,
            told=None if objected.told is None else objected.told.sum(),
        )

    def after_step(self, step: int, total: int) -> None:
        """Nothing."""

    @torch.no_grad()
    def check(self, batches: Iterable[Batch], gather: Gather = alone) -> Score:
        """Word error rate of greedy decoding, loss and blank statistics over all batches.

        The evidence is that of this process's batches.
        """
        was_training = self.network.training
        self.network.eval()
        tally = CheckTally()
        for batch in batches:
            tally += self._check_batch(batch)
        tally = tally.merged(gather)
        evidence = self.evidence.collect()
        evidence["masked"] = 0.0 if self.augment is None else self.augment.share
        self.network.train(was_training)
        return Score(
            key=(tally.errors.words.rate_or(math.inf), tally.loss),
            metrics=tally.metrics(),
            samples=three_of(tally.samples),
            report={} if tally.report is None else tally.report.summary(),
            evidence=evidence,
        )

    def _check_batch(self, batch: Batch) -> CheckTally:
        logits = self.network(batch.audio)
        losses, report = ctc_loss(
            logits.data,
            batch.targets,
            logits.lengths,
            batch.target_lengths,
            blank=self.tokenizer.blank,
            reduction="none",
            zero_infinity=True,
            return_report=True,
        )
        hypotheses = self.write(logits)
        self.evidence.dev_batch(batch, logits, hypotheses)
        return CheckTally.of(batch, hypotheses, logits, losses, report, self.tokenizer)

    def judge(self, history: Sequence[Record]) -> Mapping[str, Any] | None:
        """Is it learning, waiting on the blank plateau, or in trouble, and of what kind?"""
        return verdict(history).as_json()

    def write(self, logits: Seq) -> list[str]:
        """The texts that logits [B, T, symbols] spell, by greedy decoding."""
        return greedy_texts(logits, self.tokenizer, self.blank_penalty)

    def facts(self) -> dict[str, Any]:
        """Counts of defects of the corpus so far: see `Evidence.facts`."""
        return self.evidence.facts()

    def state_dict(self) -> dict[str, Any]:
        """The evidence collected so far, for last.pt: see `Evidence.state_dict`; words left."""
        return {**self.evidence.state_dict(), "left": self.objective.left.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` gave."""
        self.evidence.load_state_dict(state)
        self.objective.left.load_state_dict(state.get("left", {}))  # absent in an older file

    def export(self) -> dict[str, Any]:
        """What `Recogniser.load` reads."""
        return Recogniser.payload(self.network, self.spec, self.tokenizer, self.notes)


def infeasibility(lattice: CtcBatch, row: int) -> str:
    """Why a row of a batch has no alignment, and what to do."""
    frames = lattice.input_lengths[row]
    labels = lattice.target_lengths[row]
    repeats = lattice.repeats[row]
    with_repeats = f", {repeats} of them twice in a row" if repeats else ""
    return (
        f"{frames} frames cannot spell {labels} symbols{with_repeats}; "
        "use a smaller stride or leave it out"
    )
