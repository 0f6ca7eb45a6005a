"""One CTC loss that somebody's loop has computed, as rows that the diagnosis can read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from rapidfuzz.distance import Levenshtein
from torch import Tensor

from ctcasr.ctc import ctc_loss
from ctcasr.ctc.observers import LossCall
from ctcasr.watching.seams import LossArguments


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

    def sound(self) -> SeenRows:
        """The rows that have a loss: each of their labels has a score, and is not the blank."""
        sound = []
        for row, labels in enumerate(self.targets):
            in_range = bool(((labels >= 0) & (labels < self.classes)).all())
            if in_range and not bool((labels == self.blank).any()):
                sound.append(row)
        if len(sound) == len(self):
            return self
        return SeenRows(
            self.scores[sound],
            tuple(self.input_lengths[row] for row in sound),
            tuple(self.targets[row] for row in sound),
            self.blank,
        )


def rows_of(call: LossCall) -> SeenRows:
    """All rows of a call, as views; frames and labels beyond the lengths told are left out.

    Raises:
        ValueError: where the arguments do not fit together (torch has refused them, or will).
    """
    scores = call.log_probs.detach()
    if scores.dim() == 2:  # one utterance without a batch: [T, C]
        scores = scores.unsqueeze(1)
    scores = scores.transpose(0, 1)
    input_lengths = as_lengths(call.input_lengths)
    target_lengths = as_lengths(call.target_lengths)
    rows = scores.shape[0]
    if len(input_lengths) != rows or len(target_lengths) != rows:
        raise ValueError(
            f"expected a length for each of {rows} rows; got {len(input_lengths)} input "
            f"lengths and {len(target_lengths)} target lengths"
        )
    labels = call.targets.detach().cpu().long()
    return SeenRows(scores, input_lengths, split_targets(labels, target_lengths), call.blank)


def as_lengths(lengths: Tensor | Sequence[int]) -> tuple[int, ...]:
    """Lengths on the host, whatever held them."""
    if isinstance(lengths, Tensor):
        lengths = lengths.detach().cpu().flatten().tolist()
    return tuple(int(length) for length in lengths)


def split_targets(targets: Tensor, lengths: tuple[int, ...]) -> tuple[Tensor, ...]:
    """Labels of each row, of padded targets [B, S] or of concatenated ones [sum U].

    Raises:
        ValueError: fewer labels than the lengths ask for.
    """
    if targets.dim() == 2:
        pairs = zip(targets, lengths, strict=True)
        return tuple(row[:length] for row, length in pairs)
    total = sum(lengths)
    labels = targets.flatten()
    if total > len(labels):
        raise ValueError(f"expected {total} concatenated labels; got {len(labels)}")
    return tuple(labels[:total].split(lengths))


def exact_loss(arguments: LossArguments) -> Tensor:
    """This library's loss of the same arguments: infeasible rows count as torch counts them."""
    scores = arguments.log_probs
    single = scores.dim() == 2
    if single:
        scores = scores.unsqueeze(1)
    rows = rows_of(arguments)
    loss = ctc_loss(
        scores.transpose(0, 1),
        rows.flat_targets.to(scores.device),
        rows.input_lengths,
        rows.target_lengths,
        blank=arguments.blank,
        reduction=("none", "mean", "sum")[arguments.reduction],
        zero_infinity=arguments.zero_infinity,
        normalize=False,
    )
    return loss[0] if single and arguments.reduction == 0 else loss


def edit_distance(reference: Sequence[int], hypothesis: Sequence[int]) -> tuple[int, int, int]:
    """Substitutions, deletions and insertions of a cheapest way from one label sequence to another.

    >>> edit_distance([1, 2, 3], [1, 3, 3, 4])
    (1, 0, 1)
    """
    kinds = Counter(edit.tag for edit in Levenshtein.editops(reference, hypothesis))
    return kinds["replace"], kinds["delete"], kinds["insert"]
