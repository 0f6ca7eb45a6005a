"""The yardstick of listening: how well can targets be guessed without hearing anything, and does this model do better?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from ctcasr.ctc.backends import select
from ctcasr.ctc.problem import prepare

_POSITIONS = 64  # rows of the table: relative positions in an utterance
_PRIOR = 2.0  # frames of the overall mean that smooth every position
_ROUGH, _ROUNDS = (
    48,
    25,
)  # EM finds its way on so few rows first, in so many rounds: on all of them a few more do


@dataclass(frozen=True)
class DeafModel:
    """One table of class probabilities [P, C] over relative position: the best that a model can do that does not listen."""

    table: Tensor
    blank: int = 0

    @staticmethod
    def fit(
        targets: Tensor,
        input_lengths: tuple[int, ...],
        target_lengths: tuple[int, ...],
        classes: int,
        *,
        blank: int = 0,
        rounds: int = 5,
    ) -> DeafModel:
        """Maximum likelihood by EM, q(k) <- mean of the occupancies G_t(k) at that position; targets [sum U] of rows with a path.

        Rows without a path are left out; ValueError where none has one.
        """
        texts = targets.cpu().split(list(target_lengths))
        able = [
            row
            for row, text in enumerate(texts)
            if input_lengths[row] >= max(1, len(text) + int((text[1:] == text[:-1]).sum()))
        ]
        if not able:
            raise ValueError(
                "a deaf model needs at least one utterance with T >= U + R frames; there is none"
            )
        model = DeafModel(torch.full((_POSITIONS, classes), 1 / classes), blank)
        # A table that starts even is a saddle for short targets; a blank that starts likely is where real models begin.
        model.table[:, blank] = 0.5
        model.table[:] /= model.table.sum(1, keepdim=True)
        for rows, count in ((able[:: -(-len(able) // _ROUGH)], _ROUNDS), (able, rounds)):
            part = (
                torch.cat([texts[row] for row in rows]),
                tuple(input_lengths[r] for r in rows),
                tuple(target_lengths[r] for r in rows),
            )
            for _ in range(count):
                model = model._better(*part)
        return model

    def nll(
        self, targets: Tensor, input_lengths: tuple[int, ...], target_lengths: tuple[int, ...]
    ) -> Tensor:
        """Loss [B] in nats of each row; inf where there is no path."""
        scores = self._scores(input_lengths)
        problem = prepare(scores, targets.cpu(), input_lengths, target_lengths, self.blank)
        return select("auto", scores.device)(scores, problem, False).nll

    def _scores(self, input_lengths: tuple[int, ...]) -> Tensor:
        return self.table.log()[_positions(input_lengths)]

    def _better(
        self, targets: Tensor, input_lengths: tuple[int, ...], target_lengths: tuple[int, ...]
    ) -> DeafModel:
        scores = self._scores(input_lengths)
        problem = prepare(scores, targets, input_lengths, target_lengths, self.blank)
        rows = select("auto", scores.device)(scores, problem, True)
        assert rows.grad is not None
        frames = torch.tensor(input_lengths)
        real = torch.arange(scores.shape[1]) < frames[:, None]
        occupancy = (scores.exp() - rows.grad)[real].clamp_min(0.0)
        where = _positions(input_lengths)[real]
        table = torch.zeros_like(self.table).index_add_(0, where, occupancy)
        mean = occupancy.mean(0) + 1e-4
        table += _PRIOR * mean / mean.sum()
        return DeafModel(table / table.sum(1, keepdim=True), self.blank)


class Rolled(NamedTuple):
    """Mean losses, in nats, of the same targets with their own audio and with that of another utterance."""

    own: float
    other: float
    pairs: int

    @property
    def gap(self) -> float:
        """Nats lost by hearing the wrong utterance; near 0 for a model that does not listen."""
        return self.other - self.own


def rolled(
    logits: Tensor,
    input_lengths: tuple[int, ...],
    targets: Tensor,
    target_lengths: tuple[int, ...],
    *,
    blank: int = 0,
) -> Rolled:
    """Score targets [sum U] against the logits [B, T, C] of their own row and of the next row by length.

    Pairs with the same target, or without a path, are left out.
    """
    texts = [tuple(part.tolist()) for part in targets.cpu().split(list(target_lengths))]
    order = sorted(range(len(texts)), key=lambda row: input_lengths[row])
    pairs = [(row, order[(at + 1) % len(order)]) for at, row in enumerate(order)]
    pairs = [(row, other) for row, other in pairs if texts[row] != texts[other]]
    if not pairs:
        return Rolled(float("nan"), float("nan"), 0)
    flat = torch.tensor([label for row, _ in pairs for label in texts[row]], dtype=torch.int64)
    sizes = tuple(len(texts[row]) for row, _ in pairs)
    losses = []
    for side in (0, 1):
        index = [pair[side] for pair in pairs]
        scores = logits.detach()[index].float()
        problem = prepare(scores, flat, tuple(input_lengths[row] for row in index), sizes, blank)
        losses.append(select("auto", scores.device)(scores, problem, False).nll.cpu())
    sound = torch.isfinite(losses[0]) & torch.isfinite(losses[1])
    if not bool(sound.any()):
        return Rolled(float("nan"), float("nan"), 0)
    return Rolled(float(losses[0][sound].mean()), float(losses[1][sound].mean()), int(sound.sum()))


def _positions(input_lengths: tuple[int, ...]) -> Tensor:
    """Row of the table for every frame [B, T]; padding takes the last."""
    frames = torch.tensor(input_lengths).clamp_min(1)[:, None]
    steps = torch.arange(max(input_lengths, default=0))
    return ((steps * 2 + 1) * _POSITIONS // (2 * frames)).clamp_max(_POSITIONS - 1)
