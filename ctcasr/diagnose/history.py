"""The history of a run as its records tell it: what causes and verdicts read. Pure Python."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import median
from typing import Any

from ctcasr.records import (
    CheckRecord,
    EventRecord,
    Reason,
    Record,
    StartRecord,
    StepRecord,
    as_number,
    record_from,
)

RELEASED = 0.8  # CER at or below which a run that hears has left the plateau
STAYS = 3  # if so many checks in a row are
HEARS = 0.05  # share of the loss that the wrong audio adds, above which a model hears
_SURE = 2.0  # standard errors that this must be
_FAR_ABOVE_DEAF = 2.0  # times the deaf model's loss: scores that hardly differ, whatever they hear
_FEWEST = 3  # step records that a median is taken over, where there are so many


def first_release(cers: Sequence[float], hears: Sequence[bool] = ()) -> int | None:
    """Index of the first of three checks in a row that spell: the release from the plateau.

    A check spells with CER at or below 80 %, if it `hears`: where few words are possible, a model
    that hears nothing guesses a third of the characters. Without `hears`, the CER decides alone.

    Example:
        >>> first_release([1.0, 0.7, 0.9, 0.6, 0.5, 0.4])
        3
    """
    spells = [cer <= RELEASED for cer in cers]
    if hears:
        spells = [low and heard for low, heard in zip(spells, hears, strict=True)]
    for first in range(len(spells) - STAYS + 1):
        if all(spells[first : first + STAYS]):
            return first
    return None


def least(values: Iterable[float]) -> float:
    """The least of the values that are numbers; infinite without one (`min` would take a NaN).

    Example:
        >>> least([math.nan, 2.0, 1.0]), least([])
        (1.0, inf)
    """
    return min((value for value in values if not math.isnan(value)), default=math.inf)


@dataclass(frozen=True)
class RunHistory:
    """The records of one run, sorted by kind.

    Example:
        >>> check = {"kind": "check", "step": 10, "cer": 0.5, "loss": 3.0}
        >>> history = RunHistory.of([check])
        >>> history.step, history.cer, history.losses
        (10, 0.5, [3.0])
    """

    start: StartRecord | None
    steps: Sequence[StepRecord]
    checks: Sequence[CheckRecord]
    events: Sequence[EventRecord]

    @staticmethod
    def of(records: Sequence[Record | Mapping[str, Any]]) -> RunHistory:
        """The history that records tell, or flat objects as they stand in records.jsonl.

        What is no record (of any schema) is left out.
        """
        start: StartRecord | None = None
        steps: list[StepRecord] = []
        checks: list[CheckRecord] = []
        events: list[EventRecord] = []
        for entry in records:
            record = _typed(entry)
            if isinstance(record, StartRecord):
                start = record
            elif isinstance(record, StepRecord):
                steps.append(record)
            elif isinstance(record, CheckRecord):
                checks.append(record)
            elif isinstance(record, EventRecord):
                events.append(record)
        return RunHistory(start, steps, checks, events)

    # how far it is ------------------------------------------------------------------------------

    @property
    def step(self) -> int:
        """The step that the last record tells of."""
        last_steps = [0]
        for records in (self.steps, self.checks, self.events):
            last_steps.extend(record.step for record in records[-1:])
        return max(last_steps)

    @property
    def done(self) -> float:
        """Share of the planned steps that is done, 0..1; 0 where the plan is not known.

        A run that was never planned, as one that is only watched, has done all once it is finished.
        """
        if self.start is None or not self.is_planned:
            return 1.0 if self.events_of(Reason.FINISHED) else 0.0
        return min(1.0, self.step / as_number(self.start.steps))

    @property
    def is_planned(self) -> bool:
        """Whether it is known how many steps were to be taken."""
        return self.start is not None and as_number(self.start.steps) > 0

    def events_of(self, *reasons: Reason) -> list[EventRecord]:
        """The events that were written for one of these reasons."""
        return [event for event in self.events if event.reason in reasons]

    # what training says -------------------------------------------------------------------------

    def recent(self, name: str, share: float = 0.5) -> float:
        """Median of a number of the step records over the last `share` of them (three at least).

        NaN where none of them has it.
        """
        count = max(_FEWEST, math.ceil(share * len(self.steps)))
        values = [step_number(record, name) for record in self.steps[-count:]]
        known = [value for value in values if not math.isnan(value)]
        if not known:
            return math.nan
        return median(known)

    def highest(self, name: str) -> float:
        """The highest value of a number of the step records; 0 without any."""
        values = [step_number(record, name) for record in self.steps]
        return max((value for value in values if not math.isnan(value)), default=0.0)

    def total(self, name: str, share: float = 0.5) -> float:
        """Sum of a number of the step records over the last `share` of them; NaN without any.

        What many batches say together does not flicker as that of one batch of few rows does.
        """
        count = max(_FEWEST, math.ceil(share * len(self.steps)))
        values = [step_number(record, name) for record in self.steps[-count:]]
        known = [value for value in values if not math.isnan(value)]
        return sum(known) if known else math.nan

    @cached_property
    def path(self) -> float:
        """How far the weights have gone, in lengths of their own: the steps' lengths added up."""
        length = 0.0
        last_step = 0
        for record in self.steps:
            ratio = step_number(record, "update_ratio")
            if math.isfinite(ratio):
                length += ratio * (record.step - last_step)
            last_step = record.step
        return length

    @property
    def loss_since_check(self) -> float:
        """Mean training loss between the last two checks, in nats."""
        if not self.checks:
            return math.nan
        check_steps = [0, *(check.step for check in self.checks)]
        start = check_steps[-2]
        end = check_steps[-1]
        losses = []
        for record in self.steps:
            if start < record.step <= end:
                losses.append(as_number(record.loss))
        if not losses:
            return math.nan
        return sum(losses) / len(losses)

    # what the checks say ------------------------------------------------------------------------

    @cached_property
    def losses(self) -> list[float]:
        """Loss on the dev part in nats, check by check."""
        return [as_number(check.loss) for check in self.checks]

    @cached_property
    def cers(self) -> list[float]:
        """Character error rate of the dev part, check by check."""
        return [as_number(check.metrics.get("cer")) for check in self.checks]

    @property
    def cer(self) -> float:
        """Character error rate at the last check; NaN without any."""
        return self.cers[-1] if self.cers else math.nan

    @property
    def best_cer(self) -> float:
        """The lowest CER of all checks; infinite without any."""
        return least(self.cers)

    @property
    def wer(self) -> float:
        """Word error rate at the last check; NaN without any."""
        return self.metric("wer")

    def metric(self, name: str) -> float:
        """A metric of the last check; NaN where it is not there."""
        if not self.checks:
            return math.nan
        return as_number(self.checks[-1].metrics.get(name))

    @cached_property
    def release(self) -> int | None:
        """Step of the first of three checks in a row that hear and spell; None before."""
        check = first_release(self.cers, self.hearing)
        if check is None:
            return None
        return self.checks[check].step

    @cached_property
    def leaving(self) -> int | None:
        """Step of the first of the last checks, too few for a release, that hear and spell.

        None where the last check does not, and where there is a release.
        """
        if self.release is not None:
            return None
        first_spelling = None
        for number in range(len(self.checks) - 1, -1, -1):
            if not self._spells(number):
                break
            first_spelling = self.checks[number].step
        return first_spelling

    @cached_property
    def hearing(self) -> list[bool]:
        """Whether the model hears, check by check; it does where nothing tells that it does not.

        The wrong audio must cost more than 5 % of the loss, and more than chance; and the loss must
        not be far above that of a model that hears nothing.
        """
        hearing = []
        for check in range(len(self.checks)):
            share = self.listens(check=check)
            by_chance = self.beyond_chance(check=check) <= _SURE
            useless = self.over_deaf(check=check) > _FAR_ABOVE_DEAF
            hearing.append(not (share <= HEARS or by_chance or useless))
        return hearing

    def until(self, check: int) -> RunHistory:
        """The history as it was at a check, by its number."""
        checks = self.checks[: check + 1]
        end = checks[-1].step
        return RunHistory(
            self.start,
            [record for record in self.steps if record.step <= end],
            checks,
            [event for event in self.events if event.step <= end],
        )

    @property
    def tells(self) -> bool:
        """Whether any check tells how a recogniser does: by errors, or by what it hears."""
        errors = any(math.isfinite(cer) for cer in self.cers)
        return errors or any(check.evidence for check in self.checks)

    @property
    def spells(self) -> bool:
        """Whether the last check hears and has a CER at or below 80 %."""
        return bool(self.checks) and self._spells(len(self.checks) - 1)

    @cached_property
    def learnt(self) -> bool:
        """Whether any check has heard and spelt: what trains is not broken altogether."""
        return any(self._spells(check) for check in range(len(self.checks)))

    def _spells(self, check: int) -> bool:
        """Whether a check hears and has a CER at or below 80 %."""
        return self.cers[check] <= RELEASED and self.hearing[check]

    # what lies in the checks' evidence ----------------------------------------------------------

    def raw(self, *path: str, check: int = -1) -> Any:
        """Whatever lies at `path` in a check's evidence; None where nothing does."""
        if not -len(self.checks) <= check < len(self.checks):
            return None
        value: Any = self.checks[check].evidence
        for name in path:
            value = value.get(name) if isinstance(value, Mapping) else None
        return value

    def evidence(self, *path: str, check: int = -1) -> float:
        """A number out of a check's evidence; NaN where it is not there."""
        return as_number(self.raw(*path, check=check))

    def listed(self, *path: str, check: int = -1) -> Sequence[Any]:
        """A list out of a check's evidence; an empty one where none is there."""
        value = self.raw(*path, check=check)
        return value if isinstance(value, list | tuple) else ()

    @cached_property
    def facts(self) -> Mapping[str, Any]:
        """Counts of defects over the corpus, `train` and `dev`, as last told by check or event."""
        facts: Any = self.raw("corpus")
        told_at = self.checks[-1].step if self.checks else -1
        for event in self.events:
            if "facts" in event.details and event.step >= told_at:
                facts = event.details["facts"]
        return facts if isinstance(facts, Mapping) else {}

    def report(self, name: str, check: int = -1) -> float:
        """A number of a check's CtcReport; NaN where it is not there."""
        if not -len(self.checks) <= check < len(self.checks):
            return math.nan
        report = self.checks[check].report
        if not isinstance(report, Mapping):
            return math.nan
        return as_number(report.get(name))

    def over_deaf(self, part: str = "dev", check: int = -1) -> float:
        """Loss over that of the best deaf model: 1 on the plateau, less once the model listens."""
        own = self.evidence(part, "nll", check=check)
        deaf = self.evidence(part, "deaf", check=check)
        if deaf == 0:
            return math.nan
        return own / deaf

    def beyond_chance(self, part: str = "dev", check: int = -1) -> float:
        """Standard errors by which the wrong audio costs more; NaN where that is not known."""
        own = self.evidence(part, "own", check=check)
        other = self.evidence(part, "other", check=check)
        error = self.evidence(part, "gap_error", check=check)
        if error <= 0:
            return math.inf if other > own else 0.0
        return (other - own) / error

    def listens(self, part: str = "dev", check: int = -1) -> float:
        """Share of the loss that the wrong audio adds: near 0 for a model that does not listen."""
        own = self.evidence(part, "own", check=check)
        other = self.evidence(part, "other", check=check)
        return (other - own) / max(other, 1e-9)


def step_number(record: StepRecord, name: str) -> float:
    """A number of a step record, a field of its own or of the loss's report; NaN where absent."""
    value = getattr(record, name, None)
    if value is None:
        value = record.details.get(name)
    return as_number(value)


def _typed(entry: Record | Mapping[str, Any]) -> Record | None:
    """The record that an entry is or tells; None where it is none."""
    if isinstance(entry, Record):
        return entry
    try:
        return record_from(entry)
    except (KeyError, TypeError, ValueError):
        return None
