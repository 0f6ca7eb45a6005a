"""The tally of a classifier: who was taken for whom, and the scores that follow from it."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class ClassScore:
    """Precision, recall and F1 of one class, 0..1; 0 where nothing was found, or nothing was there to be found."""

    precision: float
    recall: float
    f1: float
    support: int  # how many there are of it


@dataclass(frozen=True)
class Confusion:
    """Counts [classes, classes]: rows are what it was, columns what it was taken for; confusions of the same classes add."""

    classes: tuple[str, ...]
    counts: np.ndarray[Any, np.dtype[np.int64]]

    @staticmethod
    def of(classes: Sequence[str], pairs: Iterable[tuple[int, int]] = ()) -> Confusion:
        """The tally of (true class, found class) numbers."""
        counts = np.zeros((len(classes), len(classes)), np.int64)
        for true, found in pairs:
            counts[true, found] += 1
        return Confusion(tuple(classes), counts)

    def __add__(self, other: Confusion) -> Confusion:
        if self.classes != other.classes:
            raise ValueError(
                f"expected confusions of the same classes; got {self.classes} and {other.classes}"
            )
        return Confusion(self.classes, self.counts + other.counts)

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Confusion:
        """The tally that `as_json` wrote."""
        found = data["confusion"]
        return Confusion(
            tuple(found["classes"]),
            np.array(found["counts"], np.int64).reshape([len(found["classes"])] * 2),
        )

    def __str__(self) -> str:
        low, high = self.interval
        return (
            f"accuracy {100 * self.accuracy:.1f} % ({100 * low:.1f} to {100 * high:.1f}, {self.correct} of {self.total}), "
            f"macro F1 {100 * self.macro('f1'):.1f} %"
        )

    @property
    def total(self) -> int:
        return int(self.counts.sum())

    @property
    def correct(self) -> int:
        return int(self.counts.trace())

    @property
    def accuracy(self) -> float:
        """Share that was found right, 0..1; NaN for nothing."""
        return self.correct / self.total if self.total else math.nan

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval of the accuracy."""
        return wilson(self.correct, self.total)

    def of_class(self, index: int) -> ClassScore:
        """Scores of one class."""
        hit, there, said = (
            int(n)
            for n in (
                self.counts[index, index],
                self.counts[index].sum(),
                self.counts[:, index].sum(),
            )
        )
        return ClassScore(
            hit / said if said else 0.0,
            hit / there if there else 0.0,
            2 * hit / (there + said) if there + said else 0.0,
            there,
        )

    @property
    def rows(self) -> dict[str, ClassScore]:
        """Scores of each class by its name."""
        return {name: self.of_class(index) for index, name in enumerate(self.classes)}

    def macro(self, score: str) -> float:
        """Mean of "precision", "recall" or "f1" over the classes that are there."""
        rows = [row for row in self.rows.values() if row.support]
        return sum(getattr(row, score) for row in rows) / len(rows) if rows else math.nan

    def weighted(self, score: str) -> float:
        """The same, each class weighted by how many there are of it."""
        return (
            sum(getattr(row, score) * row.support for row in self.rows.values()) / self.total
            if self.total
            else math.nan
        )

    def metrics(self) -> dict[str, float]:
        """The scores that a record holds."""
        return {
            "accuracy": self.accuracy,
            "macro_f1": self.macro("f1"),
            "weighted_f1": self.weighted("f1"),
            "utterances": self.total,
        }

    def as_json(self) -> dict[str, Any]:
        """Everything as plain data: accuracy with its interval, macro and weighted means, each class, the matrix."""
        low, high = self.interval
        means = {
            f"{kind}_{score}": getattr(self, kind)(score) if self.total else None
            for kind in ("macro", "weighted")
            for score in ("precision", "recall", "f1")
        }
        return {
            "accuracy": self.accuracy if self.total else None,
            "accuracy_low": low,
            "accuracy_high": high,
            "correct": self.correct,
            "utterances": self.total,
            **means,
            "classes": {name: vars(row) for name, row in self.rows.items()},
            "confusion": {"classes": list(self.classes), "counts": self.counts.tolist()},
        }


def pooled(rounds: Mapping[str, Confusion]) -> dict[str, Any]:
    """Several tallies, of whatever classes, as one: pooled accuracy with its interval, and mean and deviation over the rounds."""
    correct, total = sum(t.correct for t in rounds.values()), sum(t.total for t in rounds.values())
    shares = {name: tally.accuracy for name, tally in rounds.items() if tally.total}
    low, high = wilson(correct, total)
    return {
        "accuracy": correct / total if total else None,
        "accuracy_low": low,
        "accuracy_high": high,
        "correct": correct,
        "utterances": total,
        "mean": statistics.fmean(shares.values()) if shares else None,
        "deviation": statistics.stdev(shares.values()) if len(shares) > 1 else 0.0,
        "rounds": shares,
    }


def wilson(correct: int, total: int, z: float = 1.959964) -> tuple[float, float]:
    """Wilson score interval of a share (Wilson 1927), by default 95 %; (0, 1) for nothing."""
    if not 0 <= correct <= total:
        raise ValueError(f"expected 0 <= correct <= total; got {correct} of {total}")
    if total == 0:
        return 0.0, 1.0
    share, square = correct / total, z * z
    centre = (share + square / (2 * total)) / (1 + square / total)
    half = (
        z
        * math.sqrt(share * (1 - share) / total + square / (4 * total * total))
        / (1 + square / total)
    )
    return max(0.0, centre - half), min(1.0, centre + half)
