"""The tally of a classifier: who was taken for whom, and the scores that follow from it."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ctcasr.scoring.figures import percent

Z_95 = 1.959964  # normal quantile of a two-sided 95 % interval

ScoreName = Literal["precision", "recall", "f1"]
SCORES: tuple[ScoreName, ...] = ("precision", "recall", "f1")


@dataclass(frozen=True)
class ClassScore:
    """Precision, recall and F1 of one class, 0..1; 0 where there is nothing to divide by."""

    precision: float
    recall: float
    f1: float
    support: int  # how many there are of it

    def value(self, score: ScoreName) -> float:
        """One of the three by its name."""
        return {"precision": self.precision, "recall": self.recall, "f1": self.f1}[score]


@dataclass(frozen=True)
class Confusion:
    """Counts [classes, classes]: rows are what it was, columns what it was taken for.

    Confusions of the same classes add; others raise ValueError.

    Example:
        >>> confusion = Confusion.of(["yes", "no"], [(0, 0), (0, 1), (1, 1)])
        >>> str(confusion)
        'accuracy 66.7 % (20.8 to 93.9, 2 of 3), macro F1 66.7 %'
        >>> confusion.rows["yes"].recall
        0.5
    """

    classes: tuple[str, ...]
    counts: NDArray[np.int64]

    @staticmethod
    def of(classes: Sequence[str], pairs: Iterable[tuple[int, int]] = ()) -> Confusion:
        """The tally of (true class, predicted class) numbers."""
        counts = np.zeros((len(classes), len(classes)), np.int64)
        for true_class, predicted_class in pairs:
            counts[true_class, predicted_class] += 1
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
        matrix = data["confusion"]
        classes = tuple(matrix["classes"])
        counts = np.array(matrix["counts"], np.int64)
        return Confusion(classes, counts.reshape(len(classes), len(classes)))

    def __str__(self) -> str:
        low, high = self.interval
        return (
            f"accuracy {percent(self.accuracy, 1)} "
            f"({100 * low:.1f} to {100 * high:.1f}, {self.correct} of {self.total}), "
            f"macro F1 {percent(self.macro('f1'), 1)}"
        )

    @property
    def total(self) -> int:
        """Everything that was classified."""
        return int(self.counts.sum())

    @property
    def correct(self) -> int:
        """What was taken for what it is."""
        return int(self.counts.trace())

    @property
    def accuracy(self) -> float:
        """Share that was found right, 0..1; NaN for nothing."""
        if not self.total:
            return math.nan
        return self.correct / self.total

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval of the accuracy."""
        return wilson(self.correct, self.total)

    def of_class(self, index: int) -> ClassScore:
        """Scores of one class."""
        hits = int(self.counts[index, index])
        support = int(self.counts[index].sum())
        predicted = int(self.counts[:, index].sum())
        return ClassScore(
            precision=_share(hits, predicted),
            recall=_share(hits, support),
            f1=_share(2 * hits, support + predicted),
            support=support,
        )

    @property
    def rows(self) -> dict[str, ClassScore]:
        """Scores of each class by its name."""
        return {name: self.of_class(index) for index, name in enumerate(self.classes)}

    def macro(self, score: ScoreName) -> float:
        """Mean of a score over the classes that are there; NaN where none is."""
        values = [row.value(score) for row in self.rows.values() if row.support]
        if not values:
            return math.nan
        return sum(values) / len(values)

    def weighted(self, score: ScoreName) -> float:
        """The same, each class weighted by how many there are of it."""
        if not self.total:
            return math.nan
        return sum(row.value(score) * row.support for row in self.rows.values()) / self.total

    def metrics(self) -> dict[str, float]:
        """What a record holds.

        Keys: accuracy, macro_f1, weighted_f1 (0..1, NaN for nothing), utterances.
        """
        return {
            "accuracy": self.accuracy,
            "macro_f1": self.macro("f1"),
            "weighted_f1": self.weighted("f1"),
            "utterances": self.total,
        }

    def as_json(self) -> dict[str, Any]:
        """Everything as plain data; shares of 1, null for nothing.

        Keys: accuracy, accuracy_low and accuracy_high (95 %), correct, utterances;
        macro_ and weighted_ precision, recall and f1;
        classes (name -> precision, recall, f1, support);
        confusion (classes, and counts [classes][classes] as in this class).
        """
        low, high = self.interval
        shares = {"accuracy": self.accuracy}
        for score in SCORES:
            shares[f"macro_{score}"] = self.macro(score)
            shares[f"weighted_{score}"] = self.weighted(score)
        return {
            **{name: share if self.total else None for name, share in shares.items()},
            "accuracy_low": low,
            "accuracy_high": high,
            "correct": self.correct,
            "utterances": self.total,
            "classes": {name: asdict(row) for name, row in self.rows.items()},
            "confusion": {"classes": list(self.classes), "counts": self.counts.tolist()},
        }


@dataclass(frozen=True)
class PooledAccuracy:
    """Several tallies, of whatever classes, as one: accuracy of everything and of the rounds.

    Example:
        >>> print(PooledAccuracy(19, 20, {"fold0": 0.9, "fold1": 1.0}))
        19 of 20 right (76.4 to 99.1 %), mean of 2 rounds 95.0 % (deviation 7.1)
    """

    correct: int
    utterances: int
    rounds: Mapping[str, float]  # accuracy of each round that has anything in it

    @property
    def accuracy(self) -> float | None:
        """Share that was found right in all rounds together; None for nothing."""
        if not self.utterances:
            return None
        return self.correct / self.utterances

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval of the accuracy."""
        return wilson(self.correct, self.utterances)

    @property
    def mean(self) -> float | None:
        """Mean accuracy of the rounds; None without any."""
        if not self.rounds:
            return None
        return statistics.fmean(self.rounds.values())

    @property
    def deviation(self) -> float:
        """Standard deviation over the rounds; 0 for less than two."""
        return statistics.stdev(self.rounds.values()) if len(self.rounds) > 1 else 0.0

    def __str__(self) -> str:
        low, high = self.interval
        text = f"{self.correct} of {self.utterances} right ({100 * low:.1f} to {100 * high:.1f} %)"
        if self.mean is None:
            return text
        rounds = f"mean of {len(self.rounds)} rounds {100 * self.mean:.1f} %"
        return f"{text}, {rounds} (deviation {100 * self.deviation:.1f})"

    def as_json(self) -> dict[str, Any]:
        """The properties as plain data, the interval as accuracy_low and accuracy_high."""
        low, high = self.interval
        return {
            "accuracy": self.accuracy,
            "accuracy_low": low,
            "accuracy_high": high,
            "correct": self.correct,
            "utterances": self.utterances,
            "mean": self.mean,
            "deviation": self.deviation,
            "rounds": dict(self.rounds),
        }

    def write(self, path: Path) -> Path:
        """Write `as_json` to a file, whose path is returned."""
        text = json.dumps(self.as_json(), indent=2, ensure_ascii=False, allow_nan=False)
        path.write_text(text + "\n", encoding="utf-8")
        return path


def pooled(rounds: Mapping[str, Confusion]) -> PooledAccuracy:
    """Several tallies, of whatever classes, as one.

    Example:
        >>> pooled({"a": Confusion.of("xy", [(0, 0)]), "b": Confusion.of("z", [(0, 0)])}).accuracy
        1.0
    """
    return PooledAccuracy(
        correct=sum(tally.correct for tally in rounds.values()),
        utterances=sum(tally.total for tally in rounds.values()),
        rounds={name: tally.accuracy for name, tally in rounds.items() if tally.total},
    )


def wilson(correct: int, total: int, z: float = Z_95) -> tuple[float, float]:
    """Wilson score interval of a share (Wilson 1927), by default 95 %; (0, 1) for nothing.

    Raises:
        ValueError: unless 0 <= correct <= total.

    Example:
        >>> low, high = wilson(0, 20)
        >>> f"{low:.4f} to {high:.4f}"
        '0.0000 to 0.1611'
    """
    if not 0 <= correct <= total:
        raise ValueError(f"expected 0 <= correct <= total; got {correct} of {total}")
    if total == 0:
        return 0.0, 1.0
    share = correct / total
    z_squared = z * z
    scale = 1 + z_squared / total
    centre = (share + z_squared / (2 * total)) / scale
    variance = share * (1 - share) / total + z_squared / (4 * total * total)
    half = z * math.sqrt(variance) / scale
    return max(0.0, centre - half), min(1.0, centre + half)


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
