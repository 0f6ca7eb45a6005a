"""The verdict on a run so far: learning, waiting, converged, or in trouble and why. Pure Python over plain records."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ctcasr.diagnose.cause import Cause
from ctcasr.diagnose.causes import CAUSES
from ctcasr.diagnose.history import RunHistory
from ctcasr.records import Record

__all__ = ["Cause", "Verdict", "verdict"]

_DOUBT = 0.9  # confidence from which on lesser suspicions are not worth telling


@dataclass(frozen=True)
class Verdict:
    """`state` is "learning", "plateau: wait", "converged" or "trouble"; causes are ordered, the likeliest first."""

    state: str
    step: int
    release_step: int | None = None  # when the plateau was left, or (if `estimated`) will be
    estimated: bool = False
    causes: tuple[Cause, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Plain data for a record."""
        return {**asdict(self), "causes": [asdict(cause) for cause in self.causes]}


def verdict(records: Sequence[Record | Mapping[str, Any]]) -> Verdict:
    """Read plain records (lines of records.jsonl) and judge; causes that cannot be told apart follow each other."""
    history = RunHistory.of(records)
    found = [cause for look in CAUSES if (cause := look(history)) is not None]
    found.sort(key=lambda cause: -cause.confidence)  # stable: equal ones keep the order of CAUSES
    if found and found[0].confidence >= _DOUBT:
        found = [cause for cause in found if cause.confidence >= _DOUBT - 0.2]
    release = history.release
    estimate = None if release is not None else history.leaving or estimated_release(history)
    return Verdict(
        _state(history, bool(found)),
        history.step,
        release if release is not None else estimate,
        release is None and estimate is not None,
        tuple(found),
    )


def estimated_release(history: RunHistory) -> int | None:
    """The step at which the plateau will be left, as a multiple of the steps done; None before the first check.

    While nothing is heard, nothing tells the end but the time it has lasted: twice that, three times where the loss
    does not even fall. Once the wrong audio costs loss, a line through the logarithm of the loss over the last checks
    is drawn on to where runs begin to spell, at 0.85 of the deaf model's loss.
    """
    if not history.checks:
        return None
    points = [
        (at, math.log(ratio))
        for check in range(len(history.checks))
        if (ratio := history.over_deaf(check=check)) > 0
        and (at := history.figure("step", check)) > 0
    ][-4:]
    now = max(history.step, 1)
    if len(points) < 2:
        return 2 * now
    (x0, y0), (x1, y1) = points[0], points[-1]
    slope = (y1 - y0) / max(x1 - x0, 1)
    ahead = (math.log(0.85) - y1) / slope / now if slope < 0 else math.inf
    least = 1.2 if history.listens() > 0.05 else 2.0
    return round(now * min(3.0, max(least, 1 + ahead)))


def _state(history: RunHistory, trouble: bool) -> str:
    if trouble:
        return "trouble"
    if history.release is None and history.leaving is None:
        return "plateau: wait"
    losses = history.losses
    # Where half of the characters are wrong, a loss that stands still for a while is not the end of learning.
    flat = (
        len(losses) > 5
        and min(losses[-5:]) > 0.99 * min(losses[:-5])
        and history.figure("cer") < 0.5
    )
    return "converged" if flat else "learning"
