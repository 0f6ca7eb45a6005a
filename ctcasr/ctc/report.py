"""What the lattice knows about a batch besides its loss: where blanks, spikes and trouble are."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain
from typing import Any

import torch
from torch import Tensor

from ctcasr.ctc.backends import select
from ctcasr.ctc.batch import CtcBatch, CtcOutput, Lengths, prepare, to_device
from ctcasr.ctc.reference import frame_padding, posterior

# Spread of sum_s alpha_t(s) beta_t(s) over t; sound kernels stay orders of magnitude below.
HEALTHY = 1e-3

_SPIKE = 0.5  # non-blank occupancy from which on a frame counts as a spike


@dataclass(frozen=True)
class CtcReport:
    """Per-row metrics [B] of one batch, on the device of the logits; reports add.

    The occupancy G_t(k) is the posterior of class k at frame t over all paths that spell the
    target. What needs a path is NaN on rows that have none. `summary` gives plain numbers.
    """

    batches: tuple[CtcBatch, ...]  # one for each batch that was added up
    nll: Tensor  # [B], nats
    blank_expected: Tensor  # [B] mean_t G_t(blank): the blank share that the targets ask for
    blank_mass: Tensor  # [B] mean_t softmax_t(blank): the blank share that the model gives
    blank_argmax: Tensor  # [B] share of frames whose best class is the blank
    emitted: Tensor  # [B] symbols of the greedy decoding
    entropy: Tensor  # [B] nats, of the posterior over paths: 0 if one alignment has all the mass
    spikes: Tensor  # [B] frames whose non-blank occupancy exceeds one half
    health: Tensor  # [B] relative spread of sum_s alpha_t(s) beta_t(s) over t
    ids: tuple[str, ...] = ()  # names of the rows for messages, if `named` was called

    @property
    def input_lengths(self) -> tuple[int, ...]:
        """Frames T of each row."""
        return tuple(chain.from_iterable(part.input_lengths for part in self.batches))

    @property
    def target_lengths(self) -> tuple[int, ...]:
        """Labels U of each row."""
        return tuple(chain.from_iterable(part.target_lengths for part in self.batches))

    @cached_property
    def slack(self) -> tuple[int, ...]:
        """T - U - R of each row: frames to spare over the shortest path; negative: no path."""
        return tuple(chain.from_iterable(part.slack for part in self.batches))

    @property
    def infeasible(self) -> tuple[int, ...]:
        """Rows that have no path: T < U + R."""
        return tuple(row for row, slack in enumerate(self.slack) if slack < 0)

    @property
    def blank_excess(self) -> Tensor:
        """blank_mass - blank_expected [B]: the mean gradient on the blank logit.

        Above 0, training lowers the blank.
        """
        return self.blank_mass - self.blank_expected

    @property
    def emitted_per_target(self) -> Tensor:
        """Greedy symbols per target label [B]; the empty target counts as one label."""
        return self.emitted / to_device(self.target_lengths, self.emitted.device).clamp_min(1)

    def named(self, ids: tuple[str, ...] | list[str]) -> CtcReport:
        """The same report whose messages call the rows by these names.

        Raises:
            ValueError: not one name for each row.
        """
        if len(ids) != len(self.input_lengths):
            raise ValueError(f"ids must name {len(self.input_lengths)} rows, got {len(ids)}")
        return replace(self, ids=tuple(ids))

    def __add__(self, other: CtcReport) -> CtcReport:
        """The rows of the one, then those of the other."""
        columns = {}
        for name in _COLUMNS:
            first: Tensor = getattr(self, name)
            second: Tensor = getattr(other, name)
            columns[name] = torch.cat([first, second.to(first.device)])
        ids: tuple[str, ...] = ()
        if self.ids or other.ids:
            ids = self._names() + other._names()
        return CtcReport(batches=self.batches + other.batches, ids=ids, **columns)

    def summary(self) -> dict[str, float]:
        """Sums and means over the rows that have a path, plain numbers for JSON.

        Counts of all rows: rows, infeasible. Sums: frames, labels, nll (nats), emitted (symbols).
        Shares of frames: blank_mass, blank_expected, blank_excess, blank_argmax. Per label:
        nll_per_label, emitted_per_target, spikes_per_target. Per row: entropy (nats). Extremes:
        slack_min (frames), health_worst.
        """
        feasible = torch.tensor([slack >= 0 for slack in self.slack], dtype=torch.bool)
        table = torch.stack([getattr(self, name).double() for name in _COLUMNS]).cpu()
        column = dict(zip(_COLUMNS, table[:, feasible].unbind(), strict=True))
        frames = torch.tensor(self.input_lengths, dtype=torch.float64)[feasible]
        labels = torch.tensor(self.target_lengths, dtype=torch.float64)[feasible]
        slack = torch.tensor(self.slack, dtype=torch.float64)[feasible]
        all_frames = max(float(frames.sum()), 1.0)
        all_labels = max(float(labels.sum()), 1.0)
        blank_mass = _weighted_sum(column["blank_mass"], frames) / all_frames
        blank_expected = _weighted_sum(column["blank_expected"], frames) / all_frames
        return {
            "rows": len(self.input_lengths),
            "infeasible": len(self.infeasible),
            "frames": int(frames.sum()),
            "labels": int(labels.sum()),
            "nll": float(column["nll"].sum()),
            "nll_per_label": float(column["nll"].sum()) / all_labels,
            "blank_mass": blank_mass,
            "blank_expected": blank_expected,
            "blank_excess": blank_mass - blank_expected,
            "blank_argmax": _weighted_sum(column["blank_argmax"], frames) / all_frames,
            "emitted": float(column["emitted"].sum()),
            "emitted_per_target": float(column["emitted"].sum()) / all_labels,
            "entropy": float(column["entropy"].nansum()) / max(len(slack), 1),
            "spikes_per_target": float(column["spikes"].nansum()) / all_labels,
            "slack_min": float(slack.min()) if len(slack) else 0.0,
            "health_worst": float(column["health"].max()) if len(slack) else 0.0,
        }

    def cpu(self) -> CtcReport:
        """The same report on the host."""
        columns = {name: getattr(self, name).cpu() for name in _COLUMNS}
        return replace(self, **columns)

    def rounded(self, dtype: torch.dtype) -> CtcReport:
        """The same report with its metrics in another floating type."""
        columns = {name: _as_float(getattr(self, name), dtype) for name in _COLUMNS}
        return replace(self, **columns)

    def raise_if_bad(self) -> None:
        """Look at every row that has a path.

        Raises:
            ValueError: names a row with wrong labels, a loss that is not finite, or failed health.
        """
        nll = self.nll.tolist()
        health = self.health.tolist()
        finite = self.nll.isfinite().tolist()
        for row, slack in enumerate(self.slack):
            sound = finite[row] and health[row] <= HEALTHY
            if slack < 0 or sound:
                continue
            raise ValueError(
                f"CTC of {self._names()[row]}: loss {nll[row]}, health {health[row]:.1e} (sound "
                f"below {HEALTHY}); look for NaN or inf in its logits and for labels outside "
                f"0..C-1 (validate=True checks labels that are on a device)"
            )

    def _names(self) -> tuple[str, ...]:
        return self.ids or tuple(f"row {row}" for row in range(len(self.input_lengths)))


_COLUMNS = (
    "nll",
    "blank_expected",
    "blank_mass",
    "blank_argmax",
    "emitted",
    "entropy",
    "spikes",
    "health",
)


def _as_float(column: Tensor, dtype: torch.dtype) -> Any:
    """A metric in a floating type; counts stay integers."""
    return column.to(dtype) if column.is_floating_point() else column


def _weighted_sum(values: Tensor, weights: Tensor) -> float:
    """Sum of the products, NaN counted as 0."""
    return float((values.nan_to_num() * weights).sum())


def from_output(logits: Tensor, ctc_batch: CtcBatch, output: CtcOutput) -> CtcReport:
    """The report of what a backend returned for logits [B, T, C]; nothing waits for the device.

    Raises:
        ValueError: the output has no gradient, from which the occupancies come.
    """
    if output.grad is None:
        raise ValueError(
            "a CtcReport needs the gradient of the lattice: call the backend with need_grad=True"
        )
    log_probs = logits.log_softmax(2)
    probs = log_probs.exp()
    occupancy = probs - output.grad if ctc_batch.normalize else -output.grad
    scores = log_probs if ctc_batch.normalize else logits
    if ctc_batch.prior is not None:
        scores = scores - ctc_batch.prior.to(scores)
    finite_scores = scores.clamp_min(torch.finfo(scores.dtype).min)  # 0 * -inf is 0 here
    facts = FrameFacts(
        best=logits.max(2).indices,
        blank_probs=probs[..., ctc_batch.blank],
        blank_occupancy=occupancy[..., ctc_batch.blank],
        expected_scores=(occupancy * finite_scores).sum(2),
    )
    return report_of_frames(facts, ctc_batch, output)


@dataclass(frozen=True)
class FrameFacts:
    """What a report is made of, for each frame of each row [B, T]."""

    best: Tensor  # the class with the highest score
    blank_probs: Tensor  # softmax_t(blank)
    blank_occupancy: Tensor  # G_t(blank)
    expected_scores: Tensor  # nats, sum_k G_t(k) score_t(k)


def report_of_frames(facts: FrameFacts, ctc_batch: CtcBatch, output: CtcOutput) -> CtcReport:
    """The report of a batch with losses and health as a backend gave them."""
    padding = frame_padding(facts.best, ctc_batch)
    frames = to_device(ctc_batch.input_lengths, facts.best.device).clamp_min(1)
    no_path = output.nll.isinf()
    blank_occupancy = facts.blank_occupancy.masked_fill(padding, 0.0)
    blank_probs = facts.blank_probs.masked_fill(padding, 0.0)
    spikes = ((1 - blank_occupancy > _SPIKE) & ~padding).sum(1)
    best_is_blank = facts.best == ctc_batch.blank
    changes = torch.ones_like(padding)
    changes[:, 1:] = facts.best[:, 1:] != facts.best[:, :-1]
    emitted = changes & ~best_is_blank & ~padding
    return CtcReport(
        batches=(ctc_batch,),
        nll=output.nll.detach(),
        blank_expected=(blank_occupancy.sum(1) / frames).masked_fill(no_path, torch.nan),
        blank_mass=blank_probs.sum(1) / frames,
        blank_argmax=(best_is_blank & ~padding).sum(1) / frames,
        emitted=emitted.sum(1),
        entropy=_entropy(facts, padding, output.nll).masked_fill(no_path, torch.nan),
        spikes=spikes.to(output.nll.dtype).masked_fill(no_path, torch.nan),
        health=output.health,
    )


def _entropy(facts: FrameFacts, padding: Tensor, nll: Tensor) -> Tensor:
    """Entropy [B] of the posterior over paths, nats.

    ln P(path | target) is the sum of the scores on the path less ln Z; its mean under the
    posterior is minus the entropy.
    """
    per_frame = facts.expected_scores.masked_fill(padding, 0.0)
    expected_score = per_frame.sum(1, dtype=torch.float64)
    return (-nll.double() - expected_score).clamp_min(0.0).to(nll.dtype)


def ctc_report(
    logits: Tensor,
    targets: Tensor,
    input_lengths: Lengths,
    target_lengths: Lengths,
    *,
    blank: int = 0,
) -> CtcReport:
    """CtcReport of logits [B, T, C]; targets and lengths as for `ctc_loss`.

    Raises:
        ValueError: as `ctc_loss`.

    Example:
        >>> report = ctc_report(torch.zeros(1, 3, 2), torch.tensor([[1]]), [3], [1])
        >>> report.slack                           # two frames more than the shortest path needs
        (2,)
        >>> round(float(report.blank_mass), 3)     # of the model
        0.5
        >>> round(float(report.blank_expected), 3) # of the six alignments
        0.444
    """
    precise = logits.detach()
    if logits.dtype.itemsize < torch.float32.itemsize:
        precise = precise.float()
    ctc_batch = prepare(precise, targets, input_lengths, target_lengths, blank)
    output = select("auto", precise.device)(precise, ctc_batch, True)
    return from_output(precise, ctc_batch, output)


def label_times(
    logits: Tensor,
    targets: Tensor,
    input_lengths: Lengths,
    target_lengths: Lengths,
    *,
    blank: int = 0,
) -> tuple[Tensor, Tensor]:
    """Expected onset and duration of every label, in frames, float64 [B, max U].

    NaN beyond a row's labels. Labels cannot be skipped, so a label begins when the path has spent
    its frames in the states before it.

    Raises:
        ValueError: as `ctc_loss`.
    """
    ctc_batch = prepare(logits, targets, input_lengths, target_lengths, blank)
    gamma, _ = posterior(logits.detach(), ctc_batch)
    durations = gamma.sum(1)  # of every state
    labels = to_device(ctc_batch.target_lengths, logits.device)[:, None]
    feasible = torch.tensor(ctc_batch.feasible, dtype=torch.bool, device=logits.device)
    position = torch.arange(durations.shape[1] // 2, device=logits.device)
    absent = (position >= labels) | ~feasible[:, None]
    onsets = durations.cumsum(1)[:, 0:-1:2]
    return onsets.masked_fill(absent, torch.nan), durations[:, 1::2].masked_fill(absent, torch.nan)
