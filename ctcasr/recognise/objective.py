"""What a recogniser is trained for: CTC, and what may be added against the blank plateau."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from ctcasr.batch import Batch
from ctcasr.ctc import (
    CtcReport,
    Star,
    StarSchedule,
    WordRarity,
    alignment_entropy,
    ctc_loss,
    ctc_loss_linear,
    ctc_report,
    posterior_sums,
    word_numbers,
)
from ctcasr.ctc.batch import CtcBatch
from ctcasr.ctc.star_schedule import words_of
from ctcasr.recognise.left_words import LeftWords
from ctcasr.recognise.model import Augmentation, SpeechModel
from ctcasr.seq import Seq, to_device
from ctcasr.text import Tokenizer
from ctcasr.word_times.cuts import UNKNOWN

_OTHER_VIEW = 0x5DEECE66D  # makes the seeds of the second masked copy
EARLY = 1 / 3  # of the weight of states have those that the convolutions tell alone
LARGE_ALPHABET = 200  # symbols from which on the loss is computed without holding logits


class WordMarks(NamedTuple):
    """The labels by which words are told apart."""

    separator: int | None
    beginnings: frozenset[int]

    @staticmethod
    def of(tokenizer: Tokenizer) -> WordMarks:
        """Those of a tokenizer.

        Example:
            >>> from ctcasr.text import Alphabet
            >>> WordMarks.of(Alphabet(" ab"))
            WordMarks(separator=1, beginnings=frozenset())
        """
        separator = None
        beginnings = []
        for label in range(1, tokenizer.size):
            name = tokenizer.symbol(label)
            if name == "_":
                separator = label
            elif name.startswith("_"):
                beginnings.append(label)
        return WordMarks(separator, frozenset(beginnings))

    def numbers(self, ctc_batch: CtcBatch) -> Tensor:
        """The number of each label's word [B, max U]."""
        return word_numbers(ctc_batch.padded(), ctc_batch.target_lengths, *self)


def word_rarity(texts: Iterable[str], tokenizer: Tokenizer) -> WordRarity:
    """How rare the words of training texts are, as labels.

    Example:
        >>> from ctcasr.text import Alphabet
        >>> sorted(word_rarity(["ab a", "a"], Alphabet(" ab")).counts.items())
        [((2,), 2), ((2, 3), 1)]
    """
    marks = WordMarks.of(tokenizer)
    words = []
    for text in texts:
        labels = torch.tensor([tokenizer.encode(text)], dtype=torch.int64)
        numbers = word_numbers(labels, [labels.shape[1]], *marks)
        words += words_of(labels, numbers)[0]
    return WordRarity.among(words)


class Objected(NamedTuple):
    """What came of one batch."""

    frames: tuple[int, ...]  # of logits, in each row
    losses: Tensor  # [B] nats; 0 for a row without an alignment
    report: Callable[[], CtcReport]  # of the lattice, made when it is asked for
    # [B] nats of the transcripts as they stand, where `losses` are those of others; else None.
    as_written: Tensor | None = None
    told: Tensor | None = None  # [B] nats as checks count them, without what states add; else None


@dataclass(frozen=True)
class Objective:
    """CTC, with what may be added.

    `consistency` weighs the divergence of two masked copies that must agree (CR-CTC,
    arXiv 2410.05101); it rises to that over the first `consistency_steps` in which copies are
    augmented, and so differ. `entropy` weighs the
    entropy of the alignment, which is taken off the loss. With a `star`, transcripts may be left
    where they are wrong (OTC, arXiv 2309.15796); whole words at a cost that grows with `rarity`,
    and with the odds that a word is right, by those that were `left` so far.
    `states` weighs the cross-entropy of what an aligner heard in each frame, which a batch may
    tell: where something is said is then not to be found out.
    """

    consistency: float = 0.0
    entropy: float = 0.0
    star: StarSchedule | None = None
    consistency_steps: int = 0
    rarity: WordRarity | None = None
    states: float = 0.0
    left: LeftWords = field(default_factory=LeftWords)

    @property
    def _is_plain(self) -> bool:
        """Whether it is CTC and nothing else."""
        return not (self.consistency or self.entropy or self.star or self.states)

    def __call__(
        self,
        model: SpeechModel,
        batch: Batch,
        augment: Augmentation | None,
        blank: int,
        step: int = 0,
        marks: WordMarks | None = None,
        augment_from: int = 0,
    ) -> Objected:
        """Losses of the batch at an optimiser step, and the report of plain CTC.

        Copies are augmented since step `augment_from`.

        The logits of a large alphabet are never all held, where nothing but CTC wants them.
        A star that leaves whole words asks for their `marks`.
        """
        if self._is_plain and model.training and model.symbols >= LARGE_ALPHABET:
            return _ctc_without_logits(model, batch, augment, blank)
        state_losses = None
        if self.states and batch.states is not None:
            logits, scores = model.with_states(batch.audio, augment, batch.seeds)
            state_losses = _state_losses(model, scores, batch.states)
        else:
            logits = model(batch.audio, augment, batch.seeds)
        star = self.star_at(step, batch, logits, blank, marks)
        losses, no_path, report = _ctc(model, logits, batch, blank, star)
        as_written = None
        if star is not None:
            as_written = _as_written(logits, batch, blank)
        if self.consistency and augment is not None:
            other_seeds = tuple(seed ^ _OTHER_VIEW for seed in batch.seeds)
            other_logits = model(batch.audio, augment, other_seeds)
            other_losses, _, _ = _ctc(model, other_logits, batch, blank, star)
            apart = _divergence(logits, other_logits) + _divergence(other_logits, logits)
            apart = apart.masked_fill(no_path, 0.0)
            losses = 0.5 * (
                losses + other_losses + self._consistency_at(step - augment_from) * apart
            )
        if self.entropy:
            entropy = alignment_entropy(
                logits.data, batch.targets, logits.lengths, batch.target_lengths, blank=blank
            )
            losses = losses - self.entropy * entropy
        told = None
        if state_losses is not None:
            told = losses.detach()
            if as_written is None:
                as_written = told
            losses = losses + self.states * state_losses.masked_fill(no_path, 0.0)
        return Objected(logits.lengths, losses, report, as_written, told)

    def star_at(
        self, step: int, batch: Batch, logits: Seq, blank: int, marks: WordMarks | None
    ) -> Star | None:
        """The star of an optimiser step for a batch, if there is one."""
        if self.star is None:
            return None
        if marks is None or not self.star.leaves_words_at(step):
            return self.star.at(step)
        ctc_batch = CtcBatch(batch.targets, logits.lengths, batch.target_lengths, blank)
        words = marks.numbers(ctc_batch)
        rarity = None
        if self.rarity is not None:
            rarity = self.rarity.of(ctc_batch.padded(), words)
        counts = [max(row, default=-1) + 1 for row in words.tolist()]
        return self.star.at(step, words, rarity, self.left.cost(sum(counts)))

    def _consistency_at(self, step: int) -> float:
        """The weight of agreement at a step, counted from the first one with augmented copies."""
        if step >= self.consistency_steps:
            return self.consistency
        return self.consistency * step / self.consistency_steps


class _Lattice(NamedTuple):
    """What came of one lattice."""

    losses: Tensor  # [B] nats; 0 for a row without an alignment
    no_path: Tensor  # [B], true for such a row
    report: Callable[[], CtcReport]


def _ctc(model: SpeechModel, logits: Seq, batch: Batch, blank: int, star: Star | None) -> _Lattice:
    """CTC losses [B], with the label priors that the model keeps."""
    prior = None
    prior_weight = 1.0
    if model.prior is not None:
        model.prior.observe(logits)
        prior = model.prior.log.clone()
        prior_weight = model.prior.weight
    rows = (batch.targets, logits.lengths, batch.target_lengths)
    nll = ctc_loss(
        logits.data,
        *rows,
        blank=blank,
        reduction="none",
        prior=prior,
        prior_weight=prior_weight,
        star=star,
    )
    no_path = nll == torch.inf
    scores = logits.data.detach()

    @torch.no_grad()
    def report() -> CtcReport:
        # Of the transcripts as they stand, from a lattice of its own: few steps are asked.
        if prior is None or star is not None:
            return ctc_report(scores, *rows, blank=blank)
        _, told = ctc_loss(
            scores, *rows, blank=blank, prior=prior, prior_weight=prior_weight, return_report=True
        )
        return told

    return _Lattice(nll.masked_fill(no_path, 0.0), no_path, report)


@torch.no_grad()
def _as_written(logits: Seq, batch: Batch, blank: int) -> Tensor:
    """CTC losses [B] that leave nothing of the transcripts; 0 where there is no path."""
    return ctc_loss(
        logits.data.detach(),
        batch.targets,
        logits.lengths,
        batch.target_lengths,
        blank=blank,
        reduction="none",
        zero_infinity=True,
    )


def _ctc_without_logits(
    model: SpeechModel, batch: Batch, augment: Augmentation | None, blank: int
) -> Objected:
    """The same losses by way of the last layer's inputs [B, T, D]."""
    hidden = model.hidden(batch.audio, augment, batch.seeds)
    output = model.body.head.output
    prior = None
    prior_weight = 1.0
    if model.prior is not None:
        sums = posterior_sums(hidden.data, output.weight, output.bias, hidden.lengths)
        model.prior.observe_sums(sums, sum(hidden.lengths))
        prior = model.prior.log
        prior_weight = model.prior.weight
    losses, report = ctc_loss_linear(
        hidden.data,
        output.weight,
        output.bias,
        batch.targets,
        hidden.lengths,
        batch.target_lengths,
        blank=blank,
        reduction="none",
        zero_infinity=True,
        prior=prior,
        prior_weight=prior_weight,
        return_report=True,
    )
    return Objected(hidden.lengths, losses, lambda: report)


def _state_losses(model: SpeechModel, scores: tuple[Seq, Seq], states: Seq) -> Tensor:
    """Nats [B] of an aligner's states, by all layers and for a third by convolutions alone."""
    early, late = scores
    wanted = states_at_frames(model, late, states).flatten()
    nats = torch.zeros(len(late.lengths), device=late.device)
    for weight, told in ((1.0, late), (EARLY, early)):
        of_frames = functional.cross_entropy(told.data.flatten(0, 1), wanted, reduction="none")
        nats = nats + weight * of_frames.view(told.data.shape[:2]).sum(1)
    return nats


def states_at_frames(model: SpeechModel, frames: Seq, states: Seq) -> Tensor:
    """What is said in the middle of each frame [B, T], int64; UNKNOWN in padding."""
    framing = model.framing
    places = torch.arange(frames.data.shape[1], device=frames.device)
    middles = places * framing.hop + (framing.size / 2 - framing.before)
    ratio = float(states.rate) / model.rate_hz
    columns = (middles * ratio).floor().long().clamp(min=0)
    last = to_device(torch.tensor(states.lengths), frames.device) - 1
    wanted = states.data.gather(1, torch.minimum(columns[None, :], last[:, None]))
    return wanted.masked_fill(~frames.mask, UNKNOWN)


def _divergence(student: Seq, teacher: Seq) -> Tensor:
    """KL(teacher || student) [B] over real frames, in nats; the teacher is not trained by it."""
    log_student = student.data.log_softmax(2)
    log_teacher = teacher.data.detach().log_softmax(2)
    frames = (log_teacher.exp() * (log_teacher - log_student)).sum(2)
    return frames.masked_fill(~student.mask, 0.0).sum(1)
