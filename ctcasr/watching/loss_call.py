"""One CTC loss that somebody's loop has computed, as rows that the diagnosis can read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ctcasr.watching.seams import LossArguments

NORMALISED_WITHIN = 1e-2  # nats by which a frame's probabilities may miss one (half precision)


@dataclass(frozen=True)
class SeenRows:
    """Rows of a loss call, detached: scores [B, T, C] with true lengths, and their targets."""

    scores: Tensor
    input_lengths: tuple[int, ...]
    targets: tuple[Tensor, ...]  # labels [U] of each row, on the host
    blank: int

    def __len__(self) -> int:
        return len(self.input_lengths)

    @property
    def classes(self) -> int:
        """Symbols, the blank among them."""
        return self.scores.shape[2]

    @property
    def target_lengths(self) -> tuple[int, ...]:
        """Labels of each row."""
        return tuple(len(labels) for labels in self.targets)

    @property
    def flat_targets(self) -> Tensor:
        """All labels, row behind row."""
        if not self.targets:
            return torch.zeros(0, dtype=torch.int64)
        return torch.cat(self.targets)

    def first(self, count: int) -> SeenRows:
        """The first `count` rows, without frames that none of them has."""
        lengths = self.input_lengths[:count]
        scores = self.scores[:count, : max(lengths, default=0)]
        return SeenRows(scores, lengths, self.targets[:count], self.blank)

    def on_host(self) -> SeenRows:
        """The same in float32 on the CPU, in memory of its own."""
        scores = self.scores.to("cpu", torch.float32, copy=True)
        return SeenRows(scores, self.input_lengths, self.targets, self.blank)

    def normalised_share(self) -> float:
        """Share of the real frames whose scores are log-probabilities; NaN without frames."""
        frames = torch.arange(self.scores.shape[1]) < torch.tensor(self.input_lengths)[:, None]
        totals = self.scores.float().logsumexp(2)[frames.to(self.scores.device)]
        if not totals.numel():
            return float("nan")
        return float((totals.abs() < NORMALISED_WITHIN).float().mean())


def rows_of(arguments: LossArguments) -> SeenRows:
    """All rows of a call, as views; frames and labels beyond the lengths told are left out.

    Raises:
        ValueError: where the arguments do not fit together (torch has refused them, or will).
    """
    scores = arguments.log_probs.detach()
    if scores.dim() == 2:  # one utterance without a batch: [T, C]
        scores = scores.unsqueeze(1)
    scores = scores.transpose(0, 1)
    input_lengths = _as_tuple(arguments.input_lengths)
    target_lengths = _as_tuple(arguments.target_lengths)
    if not len(input_lengths) == len(target_lengths) == scores.shape[0]:
        raise ValueError(
            f"expected a length for each of {scores.shape[0]} rows; got {len(input_lengths)} input "
            f"lengths and {len(target_lengths)} target lengths"
        )
    targets = _split(arguments.targets.detach().cpu().long(), target_lengths)
    return SeenRows(scores, input_lengths, targets, arguments.blank)


def _as_tuple(lengths: Tensor | Sequence[int]) -> tuple[int, ...]:
    values = lengths.detach().cpu().flatten().tolist() if isinstance(lengths, Tensor) else lengths
    return tuple(int(value) for value in values)


def _split(targets: Tensor, lengths: tuple[int, ...]) -> tuple[Tensor, ...]:
    """Labels of each row, of padded targets [B, S] or of concatenated ones [sum U]."""
    if targets.dim() == 2:
        return tuple(row[:length] for row, length in zip(targets, lengths, strict=True))
    if sum(lengths) > len(targets):
        raise ValueError(f"expected {sum(lengths)} concatenated labels; got {len(targets)}")
    return tuple(torch.split(targets[: sum(lengths)], list(lengths)))


def edit_distance(reference: Sequence[int], hypothesis: Sequence[int]) -> tuple[int, int, int]:
    """Substitutions, deletions and insertions of a cheapest way from one label sequence to another.

    >>> edit_distance([1, 2, 3], [1, 3, 3, 4])
    (1, 0, 1)
    """
    # Each cell: (errors, substitutions, deletions, insertions); the smallest errors win.
    row = [(column, 0, 0, column) for column in range(len(hypothesis) + 1)]
    for place, label in enumerate(reference, start=1):
        above = row
        row = [(place, 0, place, 0)]
        for column, other in enumerate(hypothesis, start=1):
            errors, substituted, deleted, inserted = above[column - 1]
            differs = int(label != other)
            best = (errors + differs, substituted + differs, deleted, inserted)
            errors, substituted, deleted, inserted = above[column]
            best = min(best, (errors + 1, substituted, deleted + 1, inserted))
            errors, substituted, deleted, inserted = row[column - 1]
            best = min(best, (errors + 1, substituted, deleted, inserted + 1))
            row.append(best)
    _, substitutions, deletions, insertions = row[-1]
    return substitutions, deletions, insertions
