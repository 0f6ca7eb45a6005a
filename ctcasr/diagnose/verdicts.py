"""The verdict on a run so far: learning, waiting, converged, or in trouble and why. Pure Python."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ctcasr.diagnose.cause import LIKELY, Cause
from ctcasr.diagnose.causes import CAUSES
from ctcasr.diagnose.history import RunHistory, least
from ctcasr.diagnose.last_word import last_word
from ctcasr.records import Record

__all__ = ["Cause", "Verdict", "verdict"]

# Beside a cause of this confidence, suspicions that are so much less sure are not worth telling:
_CERTAIN = 0.9
_LESS_SURE = 0.2
_STAYS = 12  # checks that a cause is remembered, the last one among them

# The estimate of the release:
_SPELLS = 0.85  # of the deaf model's loss: where runs begin to spell
_LISTENS = 0.05  # share of the loss that the wrong audio adds
_LINE = 4  # checks that the line is drawn through
_SOONEST = 1.2  # times the steps done, once the wrong audio costs loss
_WHILE_DEAF = 2.0  # times the steps done, while it does not
_LATEST = 3.0

# Convergence: over so many checks the loss has not fallen below this share of what it was before.
_FLAT_CHECKS = 5
_FLAT = 0.99
_BY_HEART = 0.3  # training loss over dev loss
_MUCH_WRONG_CER = 0.25
_HALF_WRONG_CER = 0.5  # a loss that stands still for a while there is not the end of learning


@dataclass(frozen=True)
class Verdict:
    """`state` is "learning", "plateau: wait", "converged" or "trouble"; the likeliest cause first.

    It is empty where nothing tells how a recogniser does: before the first check, and of what is
    no recogniser. `release_step` is when the plateau was left, or (if `estimated`) probably will
    be. `last_word` are three sentences: what happened, what to do next, and how sure that is.
    `unmeasured` names what a check could not look at, and why.
    """

    state: str
    step: int
    release_step: int | None = None
    estimated: bool = False
    causes: tuple[Cause, ...] = ()
    last_word: tuple[str, ...] = ()
    unmeasured: tuple[str, ...] = ()

    @property
    def waits_until(self) -> int | None:
        """The step at which a plateau should end; None where there is none, or nothing tells it."""
        waits = "wait" in self.state
        return self.release_step if waits and self.estimated else None

    def as_json(self) -> dict[str, Any]:
        """Plain data for a record, field by field."""
        return {
            **asdict(self),
            "causes": [asdict(cause) for cause in self.causes],
            "last_word": list(self.last_word),
            "unmeasured": list(self.unmeasured),
        }


def verdict(records: Sequence[Record | Mapping[str, Any]]) -> Verdict:
    """Judge a run by its records, or by flat objects as they stand in records.jsonl.

    Records of older runs are read as well; what is no record is left out. Causes that cannot be
    told apart follow each other.

    Example:
        >>> plateau = {"kind": "check", "step": 10, "cer": 1.0, "loss": 30.0}
        >>> judgement = verdict([plateau])
        >>> judgement.state, judgement.release_step, judgement.estimated
        ('plateau: wait', 20, True)
    """
    history = RunHistory.of(records)
    causes = causes_of(history)
    release = history.release
    state = _state(history, bool(causes))
    estimate = None
    if release is None and state:
        estimate = history.leaving or estimated_release(history)
    return Verdict(
        state=state,
        step=history.step,
        release_step=estimate if release is None else release,
        estimated=estimate is not None,
        causes=causes,
        last_word=last_word(history, state, causes, estimate),
        unmeasured=_unmeasured(history),
    )


def causes_of(history: RunHistory) -> tuple[Cause, ...]:
    """The causes that a history shows, the surest first; equally sure ones as in CAUSES.

    What was likely at one of the last checks does not go with the next, as long as nothing is
    understood: a cause stays until a dozen checks in a row have not shown it.
    """
    ranked = _shown(history)
    if not history.spells:
        last = len(history.checks) - 1
        for check in range(last - 1, max(-1, last - _STAYS), -1):
            slugs = {cause.slug for _, cause in ranked}
            for place, cause in _shown(history.until(check)):
                if cause.slug not in slugs and cause.confidence >= LIKELY:
                    ranked.append((place, cause))
    ranked.sort(key=lambda entry: (-entry[1].confidence, entry[0]))
    causes = [cause for _, cause in ranked]
    if causes and causes[0].confidence >= _CERTAIN:
        causes = [cause for cause in causes if cause.confidence >= _CERTAIN - _LESS_SURE]
    return tuple(causes)


def _shown(history: RunHistory) -> list[tuple[int, Cause]]:
    """The causes that a history shows now, each with its place in CAUSES."""
    shown = []
    for place, find in enumerate(CAUSES):
        cause = find(history)
        if cause is not None:
            shown.append((place, cause))
    return shown


def estimated_release(history: RunHistory) -> int | None:
    """The step at which the plateau will be left, 1.2 to 3 times those done; None without checks.

    While nothing is heard, nothing tells the end but the time it has lasted: twice that, three
    times where the loss does not even fall. Once the wrong audio costs loss, a line through the
    logarithm of the loss over the last checks is drawn on to where runs begin to spell.
    """
    if not history.checks:
        return None
    points = []
    for check, record in enumerate(history.checks):
        ratio = history.over_deaf(check=check)
        if ratio > 0 and record.step > 0:
            points.append((record.step, math.log(ratio)))
    now = max(history.step, 1)
    if len(points) < 2:
        return round(_WHILE_DEAF * now)
    ahead = _steps_ahead(points[-_LINE:]) / now
    soonest = _SOONEST if history.listens() > _LISTENS else _WHILE_DEAF
    return round(now * min(_LATEST, max(soonest, 1 + ahead)))


def _steps_ahead(points: Sequence[tuple[int, float]]) -> float:
    """Steps until a line through the first and last point reaches where runs begin to spell.

    `points` are (step, logarithm of the loss over the deaf model's); infinite if it does not fall.
    """
    first_step, first_log = points[0]
    last_step, last_log = points[-1]
    slope = (last_log - first_log) / max(last_step - first_step, 1)
    if slope >= 0:
        return math.inf
    return (math.log(_SPELLS) - last_log) / slope


def _unmeasured(history: RunHistory) -> tuple[str, ...]:
    """What the last check could not look at, and why."""
    failed = history.raw("unmeasured")
    if not isinstance(failed, Mapping):
        return ()
    return tuple(f"{what} could not be looked at: {why}" for what, why in failed.items())


def _state(history: RunHistory, trouble: bool) -> str:
    """The state in a word or two; empty where nothing tells it."""
    if trouble:
        return "trouble"
    if not history.tells:
        return ""
    if history.release is None and history.leaving is None:
        return "plateau: wait"
    losses = history.losses
    flat = len(losses) > _FLAT_CHECKS and (
        least(losses[-_FLAT_CHECKS:]) > _FLAT * least(losses[:-_FLAT_CHECKS])
    )
    if not (flat and history.cer < _HALF_WRONG_CER):
        return "learning"
    # A small training part known by heart makes the loss stand still, too: that is no end.
    by_heart = history.evidence("train", "nll") < _BY_HEART * history.evidence("dev", "nll")
    return "learning" if by_heart and history.cer > _MUCH_WRONG_CER else "converged"
