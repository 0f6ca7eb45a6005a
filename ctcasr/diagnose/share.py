"""Shares of utterances: what was counted, and of how many."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from ctcasr.diagnose.history import RunHistory
from ctcasr.records import as_number
from ctcasr.scoring.figures import percent

_FEW = 20  # of fewer, a percentage says more than anybody knows


@dataclass(frozen=True)
class Share:
    """`count` of `total`; of few, a count and no percentage.

    Example:
        >>> print(Share(1, 7), "and", Share(12, 300))
        1 of 7 and 12 of 300 (4 %)
    """

    count: float
    total: float

    @property
    def value(self) -> float:
        """The share, 0..1; 0 of nothing."""
        return self.count / self.total if self.total else 0.0

    def __str__(self) -> str:
        counts = f"{self.count:.0f} of {self.total:.0f}"
        return counts if self.total < _FEW else f"{counts} ({percent(self.value)})"


NOTHING = Share(0, 0)
_COUNTED_OF = {"uncovered": "characters", "same_text": "compared", "contradicted": "compared"}


def share_set(flags: Tensor) -> float:
    """Share of the flags [...] that are set; NaN of none.

    Counted, so that all of them are exactly 1: on a GPU, a mean of ones in float32 may be less.

    Example:
        >>> share_set(Tensor([1.0, 0.0]) > 0)
        0.5
    """
    total = flags.numel()
    return int(flags.count_nonzero()) / total if total else math.nan


def largest_share(history: RunHistory, name: str) -> Share:
    """The larger share of rows that have a defect, of the training and of the dev part.

    Counted over the whole corpus where evidence has counts, else over the rows of the last check;
    of nothing where neither is known.
    """
    shares = [share_of(history, part, name) for part in ("train", "dev")]
    return max(shares, key=lambda share: share.value)


def share_of(history: RunHistory, part: str, name: str) -> Share:
    """The share of the rows of one part that have a defect."""
    counts = history.facts.get(part)
    if isinstance(counts, Mapping) and name in counts:
        return _counted(counts, name)
    value = history.evidence(part, name)
    rows = history.evidence(part, "rows")
    if math.isnan(value):
        return NOTHING
    if math.isnan(rows):
        return Share(100 * value, 100)
    return Share(value * rows, rows)


def _counted(counts: Mapping[str, Any], name: str) -> Share:
    """A share out of counts: of rows, but for those that are counted of something else."""
    count = as_number(counts[name])
    rows = as_number(counts.get(_COUNTED_OF.get(name, "rows"), counts.get("rows")))
    if math.isnan(count) or math.isnan(rows):
        return NOTHING
    return Share(count, rows)
