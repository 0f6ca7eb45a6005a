"""What a star costs over a training: labels and gaps first, then whole words, by their rarity."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ctcasr.ctc.errors import InputError
from ctcasr.ctc.star import MOST, Cost, Star

_NEVER = (math.inf, math.inf)
_COSTS = "costs of the star"


@dataclass(frozen=True)
class StarSchedule:
    """Costs at each optimiser step, from a first to a last value in a line.

    `label_costs` and `gap_costs` fall until `first_word_step`; from there on whole words are left
    instead, at `word_costs`. A word that is left teaches nothing, and what a network has not begun
    to hear by then it never will: so the words come late, and the star before them shall not be
    cheap. Without `word_costs`, labels and gaps have all `steps`.

    Example:
        >>> StarSchedule.parse("2:-1,0.5", steps=10).at(5).label_cost
        0.5
        >>> schedule = StarSchedule.parse("2:0,0.5,4@0.4", steps=10)
        >>> words = torch.tensor([[0, 0, 1]])
        >>> [(star.label_cost, star.word_cost) for star in map(schedule.at, (0, 2))]
        [(2.0, inf), (1.0, inf)]
        >>> schedule.at(4, words).label_cost, schedule.at(4, words).word_cost
        (inf, 4.0)
    """

    label_costs: tuple[float, float]
    gap_costs: tuple[float, float]
    steps: int
    word_costs: tuple[float, float] = _NEVER
    first_word_step: int = 0

    @staticmethod
    def parse(text: str, steps: int) -> StarSchedule:
        """Costs as words: "LABEL,GAP", or "LABEL,GAP,WORD@SHARE".

        Each is one number of nats, or two as FIRST:LAST; words are left behind that share of the
        steps.

        Raises:
            InputError: for anything else.
        """
        listed, _, share = text.partition("@")
        pairs = [_ends(part, text) for part in listed.split(",")]
        if len(pairs) == 2 and not share:
            labels, gaps = pairs
            return StarSchedule(labels, gaps, steps)
        if len(pairs) != 3:
            raise InputError(f"{_COSTS}: expected LABEL,GAP or LABEL,GAP,WORD@SHARE; got {text!r}")
        first_word_step = round(_share(share, text) * steps)
        labels, gaps, words = pairs
        return StarSchedule(labels, gaps, steps, words, first_word_step)

    @property
    def bypasses_words(self) -> bool:
        """Whether words can be left as a whole at some step."""
        return self.word_costs != _NEVER

    def leaves_words_at(self, step: int) -> bool:
        """Whether words can be left as a whole at this step."""
        return self.bypasses_words and step >= self.first_word_step

    def at(
        self,
        step: int,
        words: Tensor | None = None,
        rarity: Tensor | None = None,
        odds: Tensor | None = None,
    ) -> Star:
        """The star of optimiser step number `step`, from 0; `words` as in a `Star`.

        `rarity` [B, max W] and `odds` (one number) are added to the cost of each word, in nats.
        """
        if not self.leaves_words_at(step):
            steps = self.first_word_step if self.bypasses_words else self.steps
            share = step / max(steps, 1)
            return Star(_between(self.label_costs, share), _between(self.gap_costs, share))
        share = (step - self.first_word_step) / max(self.steps - self.first_word_step, 1)
        word_cost: Cost = _between(self.word_costs, share)
        if rarity is not None:
            word_cost = word_cost + rarity
        if odds is not None:
            word_cost = word_cost + odds
        return Star(
            word_cost=word_cost,
            words=words,
            inside_cost=-math.inf,
        )


class WordRarity:
    """How rare each word is: -ln of its share among the words of a training, in nats.

    Where words are written for others by chance, a common word is the likelier mistake; a star that
    costs this much more leaves a rare word, of which there is little to learn from, only where
    nothing speaks for it.

    Example:
        >>> rarity = WordRarity({(5, 6): 3, (7,): 1})
        >>> targets = torch.tensor([[7, 1, 5, 6]])
        >>> words = torch.tensor([[0, -1, 1, 1]])
        >>> rarity.of(targets, words).exp().round(decimals=2)
        tensor([[4.0000, 1.3300]])
    """

    def __init__(self, counts: Mapping[tuple[int, ...], int]) -> None:
        self.counts = counts
        self.total = sum(counts.values())

    @staticmethod
    def among(words: Iterable[Sequence[int]]) -> WordRarity:
        """Of all words of the training texts, each as its labels."""
        return WordRarity(Counter(tuple(labels) for labels in words))

    def of(self, targets: Tensor, words: Tensor) -> Tensor:
        """Nats [B, max W] of targets [B, max U] and the numbers of their words [B, max U].

        A word that training does not hold is as rare as one that it holds once.
        """
        rows = words_of(targets, words)
        most_words = max((len(row) for row in rows), default=0)
        nats = torch.zeros(len(rows), most_words)
        for number, row in enumerate(rows):
            for place, labels in enumerate(row):
                count = max(self.counts.get(labels, 0), 1)
                nats[number, place] = math.log(max(self.total, 1) / count)
        return nats


def words_of(targets: Tensor, words: Tensor) -> list[list[tuple[int, ...]]]:
    """The labels of each word of each row, of targets and numbers of words, both [B, max U].

    Example:
        >>> words_of(torch.tensor([[7, 1, 5, 6]]), torch.tensor([[0, -1, 1, 1]]))
        [[(7,), (5, 6)]]
    """
    rows = []
    for labels, numbers in zip(targets.tolist(), words.tolist(), strict=True):
        row: list[list[int]] = [[] for _ in range(max(numbers, default=-1) + 1)]
        for label, number in zip(labels, numbers, strict=True):
            if number >= 0:
                row[number].append(label)
        rows.append([tuple(word) for word in row])
    return rows


def _ends(part: str, text: str) -> tuple[float, float]:
    """A first and a last cost, of a number or FIRST:LAST."""
    try:
        ends = [float(number) for number in part.split(":")]
    except ValueError:
        ends = []
    unusable = [end for end in ends if math.isnan(end) or end < -MOST]
    goes_nowhere = math.inf in ends and ends[0] != ends[-1]  # no line leads to infinity
    if len(ends) not in (1, 2) or unusable or goes_nowhere:
        raise InputError(
            f"{_COSTS}: expected LABEL,GAP in nats, each a number, inf or "
            f"FIRST:LAST (finite); got {text!r}"
        )
    return ends[0], ends[-1]


def _share(share: str, text: str) -> float:
    """The share of the steps before whole words are left."""
    try:
        share_of_steps = float(share)
    except ValueError:
        share_of_steps = math.nan
    if not 0 <= share_of_steps < 1:
        raise InputError(
            f"{_COSTS}: expected a share of the steps, 0 or more and below 1, behind the @ from "
            f"which on words are left; got {text!r}"
        )
    return share_of_steps


def _between(ends: tuple[float, float], share: float) -> float:
    first, last = ends
    if first == last:
        return first
    return first + min(share, 1.0) * (last - first)
