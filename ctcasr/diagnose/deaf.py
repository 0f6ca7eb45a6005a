"""The yardstick of listening: how well can targets be guessed without hearing anything?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ctcasr.ctc.backends import select
from ctcasr.ctc.batch import prepare

_POSITIONS = 64  # rows of the table: relative positions in an utterance
_PRIOR_FRAMES = 2.0  # of the overall mean, that smooth every position
_LEAST = 1e-4  # occupancy that every class has in that mean
_LIKELY_BLANK = 0.5  # probability of the blank to begin with

# EM finds its way on a few rows first, in many rounds; on all of them a few more do.
_ROUGH_ROWS = 48
_ROUGH_ROUNDS = 25


@dataclass(frozen=True)
class DeafModel:
    """The best that a model can do without listening: class probabilities over relative position.

    `table` is [P, C], its rows sum to one.

    Example:
        >>> targets, frames, labels = torch.tensor([1, 2, 1, 2]), (8, 8), (2, 2)
        >>> deaf = DeafModel.fit(targets, frames, labels, classes=3)
        >>> deaf.nll(targets, frames, labels)    # even chances would cost 8 log(3) = 8.8 nats
        tensor([1.6094, 1.6094])
    """

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
        """Maximum likelihood by EM for targets [sum U], q_p(k) <- mean of G_t(k) at position p.

        G_t(k) is the occupancy of class k at frame t. Rows without a path are left out.

        Raises:
            ValueError: where no row has a path.
        """
        texts = targets.cpu().split(list(target_lengths))
        rows = _rows_with_path(texts, input_lengths)
        if not rows:
            raise ValueError(
                "a deaf model needs at least one utterance with T >= U + R frames (its labels, and "
                "a blank between equal ones); there is none: use a smaller stride"
            )
        # A table that starts even is a saddle for short targets; real models begin at a likely
        # blank.
        table = torch.full((_POSITIONS, classes), 1 / classes)
        table[:, blank] = _LIKELY_BLANK
        model = DeafModel(_normalised(table), blank)

        def improve(model: DeafModel, rows: Sequence[int], rounds: int) -> DeafModel:
            """The model after some rounds on some rows."""
            some_targets = torch.cat([texts[row] for row in rows])
            frames = tuple(input_lengths[row] for row in rows)
            labels = tuple(target_lengths[row] for row in rows)
            for _ in range(rounds):
                model = model._better(some_targets, frames, labels)
            return model

        every = math.ceil(len(rows) / _ROUGH_ROWS)
        model = improve(model, rows[::every], _ROUGH_ROUNDS)
        return improve(model, rows, rounds)

    def nll(
        self, targets: Tensor, input_lengths: tuple[int, ...], target_lengths: tuple[int, ...]
    ) -> Tensor:
        """Loss [B] in nats of each row; inf where there is no path."""
        scores = self._scores(input_lengths)
        problem = prepare(scores, targets.cpu(), input_lengths, target_lengths, self.blank)
        forward_backward = select("auto", scores.device)
        return forward_backward(scores, problem, False).nll

    def state_dict(self) -> dict[str, Any]:
        """`table` [P, C] and `blank`, for a checkpoint."""
        return {"table": self.table, "blank": self.blank}

    @staticmethod
    def from_state(state: dict[str, Any]) -> DeafModel:
        """The model that `state_dict` tells of."""
        return DeafModel(state["table"].cpu(), int(state["blank"]))

    def _scores(self, input_lengths: tuple[int, ...]) -> Tensor:
        """Logarithms of the probabilities [B, T, C]."""
        return self.table.log()[_positions(input_lengths)]

    def _better(
        self, targets: Tensor, input_lengths: tuple[int, ...], target_lengths: tuple[int, ...]
    ) -> DeafModel:
        """The model after one more round of EM."""
        scores = self._scores(input_lengths)
        problem = prepare(scores, targets, input_lengths, target_lengths, self.blank)
        forward_backward = select("auto", scores.device)
        output = forward_backward(scores, problem, True)
        assert output.grad is not None
        frames = torch.tensor(input_lengths)
        real = torch.arange(scores.shape[1]) < frames[:, None]
        positions = _positions(input_lengths)[real]
        # The gradient is what the model gives each class, less what the targets ask for.
        occupancy = (scores.exp() - output.grad)[real]  # [sum T, C]
        occupancy = occupancy.clamp_min(0.0)
        mean = occupancy.mean(0) + _LEAST
        table = torch.zeros_like(self.table)
        table.index_add_(0, positions, occupancy)
        table += _PRIOR_FRAMES * mean / mean.sum()
        return DeafModel(_normalised(table), self.blank)


class Rolled(NamedTuple):
    """Mean losses in nats of the same targets with their own audio and with another utterance's.

    `error` is the standard error of their difference over the pairs; NaN for fewer than two.
    """

    own: float
    other: float
    pairs: int
    error: float = math.nan

    @property
    def gap(self) -> float:
        """Nats lost by the wrong utterance; near 0 for a model that does not listen."""
        return self.other - self.own


_NO_PAIR = Rolled(math.nan, math.nan, 0)


def rolled(
    logits: Tensor,
    input_lengths: tuple[int, ...],
    targets: Tensor,
    target_lengths: tuple[int, ...],
    *,
    blank: int = 0,
) -> Rolled:
    """Score targets [sum U] against logits [B, T, C] of their own row and of the next by length.

    Pairs with the same target, or without a path, are left out.

    Example:
        >>> logits = torch.zeros(2, 5, 3)      # hears nothing
        >>> rolled(logits, (5, 5), torch.tensor([1, 2]), (1, 1)).gap
        0.0
    """
    texts = targets.cpu().split(list(target_lengths))
    pairs = _pairs(texts, input_lengths)
    if not pairs:
        return _NO_PAIR
    pair_targets = torch.cat([texts[row] for row, _ in pairs])
    pair_labels = tuple(len(texts[row]) for row, _ in pairs)

    def losses_with(audio_rows: Sequence[int]) -> Tensor:
        """Losses [pairs] of the targets with the audio of these rows."""
        scores = logits.detach()[list(audio_rows)].float()
        frames = tuple(input_lengths[row] for row in audio_rows)
        problem = prepare(scores, pair_targets, frames, pair_labels, blank)
        forward_backward = select("auto", scores.device)
        return forward_backward(scores, problem, False).nll.cpu()

    own = losses_with([row for row, _ in pairs])
    other = losses_with([other_row for _, other_row in pairs])
    sound = torch.isfinite(own) & torch.isfinite(other)
    count = int(sound.sum())
    if not count:
        return _NO_PAIR
    difference = (other - own)[sound]
    error = float(difference.std()) / math.sqrt(count) if count > 1 else math.nan
    return Rolled(float(own[sound].mean()), float(other[sound].mean()), count, error)


def _pairs(texts: Sequence[Tensor], input_lengths: tuple[int, ...]) -> list[tuple[int, int]]:
    """Each row with the next longer one (the longest with the shortest), if its text differs."""
    order = sorted(range(len(texts)), key=lambda row: input_lengths[row])
    pairs = []
    for place, row in enumerate(order):
        other = order[(place + 1) % len(order)]
        if not torch.equal(texts[row], texts[other]):
            pairs.append((row, other))
    return pairs


def _rows_with_path(texts: Sequence[Tensor], input_lengths: tuple[int, ...]) -> list[int]:
    """Rows with enough frames for their labels and a blank between equal neighbours."""
    rows = []
    for row, text in enumerate(texts):
        repeats = int((text[1:] == text[:-1]).sum())
        if input_lengths[row] >= max(1, len(text) + repeats):
            rows.append(row)
    return rows


def _normalised(table: Tensor) -> Tensor:
    """The table [P, C] with rows that sum to one."""
    return table / table.sum(1, keepdim=True)


def _positions(input_lengths: tuple[int, ...]) -> Tensor:
    """Row of the table for every frame [B, T]; padding takes the last."""
    frames = torch.tensor(input_lengths).clamp_min(1)[:, None]
    steps = torch.arange(max(input_lengths, default=0))
    middles = steps * 2 + 1  # of the frames, in half frames
    positions = middles * _POSITIONS // (2 * frames)
    return positions.clamp_max(_POSITIONS - 1)
