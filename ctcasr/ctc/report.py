"""What the lattice knows about a batch besides its loss: where the blanks, the spikes and the trouble are."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property, reduce
from operator import add

import torch
from torch import Tensor

from ctcasr.ctc.backends import select
from ctcasr.ctc.problem import CtcBatch, CtcOutput, Lengths, prepare, to_device
from ctcasr.ctc.reference import frame_padding, posterior

HEALTHY = 1e-3  # spread of sum_s alpha_t(s) beta_t(s) over t; sound kernels stay orders of magnitude below


@dataclass(frozen=True)
class CtcReport:
    """Per-row figures [B] of one batch, on the device of the logits; reports add, `summary` gives plain numbers.

    The occupancy G_t(k) is the posterior of class k at frame t over all paths that spell the target. What needs a
    path is NaN on rows that have none.
    """

    problems: tuple[CtcBatch, ...]  # one for each batch that was added up
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
        return reduce(add, (p.input_lengths for p in self.problems), ())

    @property
    def target_lengths(self) -> tuple[int, ...]:
        """Labels U of each row."""
        return reduce(add, (p.target_lengths for p in self.problems), ())

    @cached_property
    def slack(self) -> tuple[int, ...]:
        """T - U - R of each row: frames to spare over the shortest path; negative where no path exists."""
        return reduce(add, (p.slack for p in self.problems), ())

    @property
    def infeasible(self) -> tuple[int, ...]:
        """CtcOutput that have no path: T < U + R."""
        return tuple(row for row, slack in enumerate(self.slack) if slack < 0)

    @property
    def blank_excess(self) -> Tensor:
        """blank_mass - blank_expected [B]: the mean gradient on the blank logit; above 0, training lowers the blank."""
        return self.blank_mass - self.blank_expected

    @property
    def emitted_per_target(self) -> Tensor:
        """Greedy symbols per target label [B]; the empty target counts as one label."""
        return self.emitted / to_device(self.target_lengths, self.emitted.device).clamp_min(1)

    def named(self, ids: tuple[str, ...] | list[str]) -> CtcReport:
        """The same report whose messages call the rows by these names."""
        if len(ids) != len(self.input_lengths):
            raise ValueError(f"ids must name {len(self.input_lengths)} rows, got {len(ids)}")
        return replace(self, ids=tuple(ids))

    def __add__(self, other: CtcReport) -> CtcReport:
        """The rows of both."""
        tensors = {
            name: torch.cat(
                [getattr(self, name), getattr(other, name).to(getattr(self, name).device)]
            )
            for name in _COLUMNS
        }
        ids = self._names() + other._names() if self.ids or other.ids else ()
        return CtcReport(problems=self.problems + other.problems, ids=ids, **tensors)

    def summary(self) -> dict[str, float]:
        """Sums and means over the rows that have a path (shares weighted by frames), plain numbers for JSON."""
        table = torch.stack([getattr(self, name).double() for name in _COLUMNS]).cpu()
        times = torch.tensor(self.input_lengths, dtype=torch.float64)
        labels = torch.tensor(self.target_lengths, dtype=torch.float64)
        slack = torch.tensor(self.slack, dtype=torch.float64)
        sound = slack >= 0
        column = {name: values[sound] for name, values in zip(_COLUMNS, table, strict=True)}
        times, labels, slack = times[sound], labels[sound], slack[sound]
        frames, count = max(float(times.sum()), 1.0), max(int(sound.sum()), 1)

        def share(name: str) -> float:
            return float((column[name].nan_to_num() * times).sum()) / frames

        return {
            "rows": len(self.input_lengths),
            "infeasible": len(self.infeasible),
            "frames": int(times.sum()),
            "labels": int(labels.sum()),
            "nll": float(column["nll"].sum()),
            "nll_per_label": float(column["nll"].sum()) / max(float(labels.sum()), 1.0),
            "blank_mass": share("blank_mass"),
            "blank_expected": share("blank_expected"),
            "blank_excess": share("blank_mass") - share("blank_expected"),
            "blank_argmax": share("blank_argmax"),
            "emitted": float(column["emitted"].sum()),
            "emitted_per_target": float(column["emitted"].sum()) / max(float(labels.sum()), 1.0),
            "entropy": float(column["entropy"].nansum()) / count,
            "spikes_per_target": float(column["spikes"].nansum()) / max(float(labels.sum()), 1.0),
            "slack_min": float(slack.min()) if len(slack) else 0.0,
            "health_worst": float(column["health"].max()) if len(slack) else 0.0,
        }

    def cpu(self) -> CtcReport:
        """The same report on the host."""
        return replace(self, **{name: getattr(self, name).cpu() for name in _COLUMNS})

    def raise_if_bad(self) -> None:
        """ValueError that names the rows with wrong labels, non-finite loss despite a path, or failed health."""
        nll, health = self.nll.cpu(), self.health.cpu()
        for row, slack in enumerate(self.slack):
            if slack < 0 or (bool(nll[row].isfinite()) and float(health[row]) <= HEALTHY):
                continue
            raise ValueError(
                f"CTC of {self._names()[row]}: loss {float(nll[row])}, health {float(health[row]):.1e} (sound below "
                f"{HEALTHY}); look for NaN or inf in its logits and for labels outside 0..C-1 "
                f"(validate=True checks labels that are on a device)"
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


def from_rows(logits: Tensor, problem: CtcBatch, rows: CtcOutput) -> CtcReport:
    """The report of what a backend returned for logits [B, T, C]; nothing here waits for the device."""
    if rows.grad is None:
        raise ValueError(
            "a CtcReport needs the gradient of the lattice: call the backend with need_grad=True"
        )
    padding = frame_padding(logits, problem)
    length = to_device(problem.input_lengths, logits.device).clamp_min(1)
    log_probs = logits.log_softmax(2)
    probs = log_probs.exp()
    occupancy = probs - rows.grad if problem.normalize else -rows.grad
    blank_share = occupancy[..., problem.blank].masked_fill(padding, 0.0)
    blank_mass = probs[..., problem.blank].masked_fill(padding, 0.0)
    # ln P(path | target) = sum of the scores on it - ln Z; its mean under the posterior is minus the entropy.
    seen = log_probs if problem.normalize else logits
    seen = seen if problem.prior is None else seen - problem.prior.to(seen)
    on_path = (occupancy * seen.clamp_min(torch.finfo(seen.dtype).min)).sum(2)  # 0 * -inf is 0 here
    weighted = on_path.masked_fill(padding, 0.0).sum(1, dtype=torch.float64)
    best = logits.max(2).indices
    best_blank = best == problem.blank
    fresh = torch.ones_like(padding)
    fresh[:, 1:] = best[:, 1:] != best[:, :-1]
    no_path = rows.nll.isinf()

    def of_path(values: Tensor) -> Tensor:
        return values.masked_fill(no_path, torch.nan)

    return CtcReport(
        problems=(problem,),
        nll=rows.nll.detach(),
        blank_expected=of_path(blank_share.sum(1) / length),
        blank_mass=blank_mass.sum(1) / length,
        blank_argmax=(best_blank & ~padding).sum(1) / length,
        emitted=(fresh & ~best_blank & ~padding).sum(1),
        entropy=of_path((-rows.nll.double() - weighted).clamp_min(0.0).to(rows.nll.dtype)),
        spikes=of_path(((1 - blank_share > 0.5) & ~padding).sum(1).to(rows.nll.dtype)),
        health=rows.health,
    )


def ctc_report(
    logits: Tensor,
    targets: Tensor,
    input_lengths: Lengths,
    target_lengths: Lengths,
    *,
    blank: int = 0,
) -> CtcReport:
    """CtcReport of logits [B, T, C]; targets and lengths as for `ctc_loss`, which raises the same ValueErrors."""
    precise = logits.detach().float() if logits.dtype.itemsize < 4 else logits.detach()
    problem = prepare(precise, targets, input_lengths, target_lengths, blank)
    return from_rows(precise, problem, select("auto", precise.device)(precise, problem, True))


def label_times(
    logits: Tensor,
    targets: Tensor,
    input_lengths: Lengths,
    target_lengths: Lengths,
    *,
    blank: int = 0,
) -> tuple[Tensor, Tensor]:
    """Expected onset and duration of every label, in frames, float64 [B, max U]; NaN beyond a row's labels.

    Labels cannot be skipped, so a label begins when the path has spent its frames in the states before it.
    """
    problem = prepare(logits, targets, input_lengths, target_lengths, blank)
    stay, _ = posterior(logits.detach(), problem)
    stay = stay.sum(1)
    labels = to_device(problem.target_lengths, logits.device)
    dead = torch.tensor([not ok for ok in problem.feasible], dtype=torch.bool, device=logits.device)
    none = (torch.arange(stay.shape[1] // 2, device=logits.device) >= labels[:, None]) | dead[
        :, None
    ]
    return (
        stay.cumsum(1)[:, 0:-1:2].masked_fill(none, torch.nan),
        stay[:, 1::2].masked_fill(none, torch.nan),
    )
