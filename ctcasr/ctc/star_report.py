"""What the lattice with a star knows besides its loss: where the transcript was left."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import Tensor

from ctcasr.ctc.batch import CtcBatch, CtcOutput, to_device
from ctcasr.ctc.reference import frame_padding
from ctcasr.ctc.report import CtcReport, from_output
from ctcasr.ctc.star import NEVER, Star, of_rows
from ctcasr.ctc.star_words import costs_of_words, emissions_of, log_partition, word_lattice


@dataclass(frozen=True)
class StarReport(CtcReport):
    """A CtcReport, with one tensor of each row on what was left of its transcript.

    `blank_expected`, `spikes` and `entropy` are those of the lattice with the star in it.
    """

    label_star: tuple[Tensor, ...] = ()  # [U] share of the label's frames that emit the star
    gap_star: tuple[Tensor, ...] = ()  # [U + 1] expected star frames before, between, behind labels
    word_star: tuple[Tensor, ...] = ()  # [W] posterior that the word was left as a whole

    def __add__(self, other: CtcReport) -> StarReport:
        """The rows of the one, then those of the other; of a plain report no star is known."""
        columns = _plain_columns(super().__add__(other))
        stars = {}
        for name in ("label_star", "gap_star", "word_star"):
            unknown = (self.nll.new_zeros(0),) * len(other.input_lengths)
            stars[name] = getattr(self, name) + getattr(other, name, unknown)
        return StarReport(**columns, **stars)

    def summary(self) -> dict[str, float]:
        """As of every report, and label_star: the mean of the labels' shares."""
        plain = super().summary()
        labels = torch.cat([row.double() for row in self.label_star]) if self.label_star else None
        known = labels is not None and labels.numel() > 0
        plain["label_star"] = float(labels.nanmean()) if known else 0.0  # type: ignore[union-attr]
        return plain

    def cpu(self) -> StarReport:
        """The same report on the host."""
        columns = _plain_columns(super().cpu())
        return StarReport(
            **columns,
            label_star=_on_host(self.label_star),
            gap_star=_on_host(self.gap_star),
            word_star=_on_host(self.word_star),
        )


_PLAIN = fields(CtcReport)


def _plain_columns(report: CtcReport) -> dict[str, Any]:
    """What every report has, by name."""
    return {entry.name: getattr(report, entry.name) for entry in _PLAIN}


def _on_host(rows: Iterable[Tensor]) -> tuple[Tensor, ...]:
    return tuple(row.cpu() for row in rows)


def report_of(
    scores: Tensor, log_probs: Tensor, stars: Tensor, ctc_batch: CtcBatch, star: Star
) -> StarReport:
    """The report of scores with the star in them [B, T, C], of a batch with normalize=False.

    From one recursion in float64 that autograd differentiates: by an emission, which gives the
    posterior of a state; by a word's cost, which gives that of leaving the word.
    """
    device = scores.device
    rows = len(ctc_batch.target_lengths)
    words = star.words if star.bypasses_words else None
    states = word_lattice(ctc_batch, words).to(device)
    few = emissions_of(scores.detach(), log_probs.detach(), stars.detach(), ctc_batch)
    costs = costs_of_words(star, rows, states.words, device).detach().clone()
    lengths = to_device(ctc_batch.input_lengths, device)
    with torch.enable_grad():
        few.requires_grad_()
        costs.requires_grad_()
        word_columns = few[..., -1:].expand(-1, -1, states.words)
        emissions = torch.cat([few[..., :-1], word_columns], 2)
        total = log_partition(emissions, lengths, states, costs)
        occupancy, by_cost = torch.autograd.grad(
            total.sum(), (few, costs), materialize_grads=True, allow_unused=True
        )
    no_path = total.detach() < -NEVER / 2
    gamma = occupancy.masked_fill(no_path[:, None, None], 0.0)
    label_star, gap_star = _star_shares(gamma[..., :-1], scores, stars, ctc_batch, star)
    plain = _plain_report(gamma, scores, log_probs, ctc_batch, total.detach(), no_path)
    columns = _plain_columns(plain)
    # ln P(path) is the sum of its emissions less its costs; its mean is minus the entropy.
    emitted = (gamma * few.detach()).sum((1, 2))
    paid = (-by_cost * costs.detach()).sum(1)
    entropy = (total.detach() - emitted + paid).clamp_min(0.0).to(plain.nll.dtype)
    columns["entropy"] = entropy.masked_fill(no_path, torch.nan)
    word_counts = [0] * rows
    if words is not None:
        word_counts = [int(numbers.max()) + 1 if len(numbers) else 0 for numbers in words]
    return StarReport(
        **columns,
        label_star=_cut(label_star, ctc_batch.target_lengths),
        gap_star=_cut(gap_star, [count + 1 for count in ctc_batch.target_lengths]),
        word_star=_cut(-by_cost, word_counts),
    )


def _cut(padded: Tensor, counts: Iterable[int]) -> tuple[Tensor, ...]:
    """The first entries of each row."""
    return tuple(padded[row, :count] for row, count in enumerate(counts))


def _star_shares(
    gamma: Tensor, scores: Tensor, stars: Tensor, ctc_batch: CtcBatch, star: Star
) -> tuple[Tensor, Tensor]:
    """Share of each label's frames [B, U] and frames of each gap [B, U + 1] that emit the star."""
    labels = ctc_batch.padded().to(scores.device)
    wanted = labels[:, None].expand(-1, scores.shape[1], -1)
    label_scores = scores.detach().gather(2, wanted).double()
    blank_scores = scores.detach()[..., ctc_batch.blank].double()
    precise = stars.detach().double()
    beside_labels = precise - of_rows(star.label_cost, precise)[:, None]
    beside_blanks = precise - of_rows(star.gap_cost, precise)[:, None]
    of_label = (beside_labels[..., None] - label_scores).nan_to_num(0.0).exp()
    of_blank = (beside_blanks - blank_scores).nan_to_num(0.0).exp()
    in_label = gamma[..., 1::2]
    starred = (in_label * of_label).sum(1)
    gap_star = (gamma[..., 0::2] * of_blank[..., None]).sum(1)
    return starred / in_label.sum(1), gap_star


def _plain_report(
    gamma: Tensor,
    scores: Tensor,
    log_probs: Tensor,
    ctc_batch: CtcBatch,
    total: Tensor,
    no_path: Tensor,
) -> CtcReport:
    """What every report tells; the blank's occupancy is that of its states, star and all."""
    occupancy = torch.zeros_like(scores, dtype=torch.float64)
    classes = torch.full(gamma.shape[::2], ctc_batch.blank, device=scores.device)
    classes[:, 1:-1:2] = ctc_batch.padded().to(scores.device)
    occupancy.scatter_add_(2, classes[:, None].expand_as(gamma), gamma)
    padding = frame_padding(scores, ctc_batch)
    spread = ((gamma.sum(2) - 1).abs() * ~padding).amax(1) if gamma.shape[1] else total * 0
    nll = (-total).masked_fill(no_path, torch.inf).to(scores.dtype)
    grad = -occupancy.masked_fill(padding[..., None], 0.0).to(scores.dtype)
    output = CtcOutput(nll, grad, spread.masked_fill(no_path, 0.0).float())
    return from_output(log_probs.detach(), ctc_batch, output)
