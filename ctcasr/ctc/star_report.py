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
from ctcasr.ctc.star_words import (
    WordLattice,
    costs_of_words,
    emissions_of,
    log_partition,
    with_words,
    word_lattice,
)


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
        plain["label_star"] = 0.0
        rows = [row.double() for row in self.label_star if row.numel()]
        if rows:
            plain["label_star"] = float(torch.cat(rows).nanmean())
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
    words = None
    if star.bypasses_words:
        words = star.words
    states = word_lattice(ctc_batch, words).to(device)
    seen = _differentiated(scores, log_probs, stars, ctc_batch, star, states)
    label_star, gap_star = _star_shares(seen.gamma, scores, stars, ctc_batch, star)
    plain = _plain_report(seen, scores, log_probs, ctc_batch)
    columns = _plain_columns(plain)
    columns["entropy"] = seen.entropy.to(plain.nll.dtype)
    word_counts = [0] * len(ctc_batch.target_lengths)
    if words is not None:
        word_counts = _word_counts(words)
    label_counts = ctc_batch.target_lengths
    gap_counts = [count + 1 for count in label_counts]
    return StarReport(
        **columns,
        label_star=_cut(label_star, label_counts),
        gap_star=_cut(gap_star, gap_counts),
        word_star=_cut(seen.left, word_counts),
    )


@dataclass(frozen=True)
class _Seen:
    """What the derivatives of ln Z say."""

    total: Tensor  # [B] ln Z
    no_path: Tensor  # [B]
    gamma: Tensor  # [B, T, S] posteriors of blanks and labels
    left: Tensor  # [B, W] posteriors of leaving words
    entropy: Tensor  # [B] nats; NaN where there is no path


def _differentiated(
    scores: Tensor,
    log_probs: Tensor,
    stars: Tensor,
    ctc_batch: CtcBatch,
    star: Star,
    states: WordLattice,
) -> _Seen:
    """ln Z and its derivatives: by an emission and by the cost of a word."""
    device = scores.device
    rows = len(ctc_batch.target_lengths)
    few = emissions_of(
        scores.detach(),
        log_probs.detach(),
        stars.detach(),
        ctc_batch,
        star,
    )
    costs = costs_of_words(star, rows, states.words, device).detach().clone()
    lengths = to_device(ctc_batch.input_lengths, device)
    with torch.enable_grad():
        few.requires_grad_()
        costs.requires_grad_()
        emissions = with_words(few, states.words)
        total = log_partition(emissions, lengths, states, costs)
        occupancy, by_cost = torch.autograd.grad(
            total.sum(),
            (few, costs),
            materialize_grads=True,
            allow_unused=True,
        )
    total = total.detach()
    no_path = total < -NEVER / 2
    visited = occupancy.masked_fill(no_path[:, None, None], 0.0)
    # ln P(path) is the sum of its emissions less its costs; its mean is minus the entropy.
    emitted = (visited * few.detach()).sum((1, 2))
    paid = (-by_cost * costs.detach()).sum(1)
    entropy = (total - emitted + paid).clamp_min(0.0)
    return _Seen(
        total=total,
        no_path=no_path,
        gamma=visited[..., :-1],
        left=-by_cost,
        entropy=entropy.masked_fill(no_path, torch.nan),
    )


def _word_counts(words: Tensor) -> list[int]:
    """Words of each row."""
    counts = []
    for numbers in words:
        highest = int(numbers.max()) if numbers.numel() else -1
        counts.append(highest + 1)
    return counts


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
    share_of_label = _share(beside_labels[..., None], label_scores)
    share_of_blank = _share(beside_blanks[..., None], blank_scores[..., None])
    in_label = gamma[..., 1::2]
    in_gap = gamma[..., 0::2]
    starred = (in_label * share_of_label).sum(1)
    gap_star = (in_gap * share_of_blank).sum(1)
    return starred / in_label.sum(1), gap_star


def _share(part: Tensor, whole: Tensor) -> Tensor:
    """The share that a part has of what is emitted, of the logarithms of both."""
    difference = part - whole
    return difference.nan_to_num(0.0).exp()


def _plain_report(seen: _Seen, scores: Tensor, log_probs: Tensor, ctc_batch: CtcBatch) -> CtcReport:
    """What every report tells; the blank's occupancy is that of its states, star and all."""
    rows, _, states = seen.gamma.shape
    classes = torch.full(
        (rows, states),
        ctc_batch.blank,
        device=scores.device,
    )
    classes[:, 1:-1:2] = ctc_batch.padded().to(scores.device)
    class_of_state = classes[:, None].expand_as(seen.gamma)
    occupancy = torch.zeros_like(scores, dtype=torch.float64)
    occupancy.scatter_add_(2, class_of_state, seen.gamma)
    padding = frame_padding(scores, ctc_batch)
    spread = torch.zeros_like(seen.total)
    if seen.gamma.shape[1]:
        astray = (occupancy.sum(2) - 1).abs()
        spread = astray.masked_fill(padding, 0.0).amax(1)
    nll = (-seen.total).masked_fill(seen.no_path, torch.inf)
    grad = -occupancy.masked_fill(padding[..., None], 0.0)
    output = CtcOutput(
        nll.to(scores.dtype),
        grad.to(scores.dtype),
        spread.masked_fill(seen.no_path, 0.0).float(),
    )
    return from_output(log_probs.detach(), ctc_batch, output)
