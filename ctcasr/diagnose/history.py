"""The story of a run as its records tell it: what the causes and the verdict read. Pure Python."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import median
from typing import Any

from ctcasr.records import Record, record_from

RELEASED = 0.8  # CER at or below which a run has left the plateau
STAYS = 3  # if so many checks in a row are


def number(value: Any) -> float:
    """`value` as a float; NaN where it is none (records write NaN and infinity as words)."""
    try:
        return float(value)
    except (TypeError, ValueError):
        return math.nan


def first_release(cers: Sequence[float]) -> int | None:
    """Index of the first of three checks in a row with CER at or below 80 %: the release from the blank plateau."""
    return next(
        (
            at
            for at in range(len(cers) - STAYS + 1)
            if all(cer <= RELEASED for cer in cers[at : at + STAYS])
        ),
        None,
    )


@dataclass(frozen=True)
class RunHistory:
    """The records of one run, sorted by kind."""

    start: Mapping[str, Any]
    steps: Sequence[Mapping[str, Any]]
    checks: Sequence[Mapping[str, Any]]
    events: Sequence[Mapping[str, Any]]

    @staticmethod
    def of(records: Sequence[Record | Mapping[str, Any]]) -> RunHistory:
        """The story that plain records tell, as they stand in records.jsonl."""
        kinds: dict[str, list[Mapping[str, Any]]] = {
            "start": [],
            "step": [],
            "check": [],
            "event": [],
        }
        for record in records:
            typed = record if isinstance(record, Record) else record_from(record)
            kinds.setdefault(typed.kind, []).append({"step": typed.step, **typed.data})
        return RunHistory(
            kinds["start"][-1] if kinds["start"] else {},
            kinds["step"],
            kinds["check"],
            kinds["event"],
        )

    @property
    def step(self) -> int:
        """The step that the last record tells of."""
        last = [
            number(part[-1].get("step")) for part in (self.steps, self.checks, self.events) if part
        ]
        return int(max((step for step in last if math.isfinite(step)), default=0))

    @property
    def done(self) -> float:
        """Share of the planned steps that is done, 0..1; 0 where the plan is not known."""
        planned = number(self.start.get("steps"))
        return min(1.0, self.step / planned) if planned > 0 else 0.0

    def evidence(self, *path: str, check: int = -1) -> float:
        """A number out of a check's evidence; NaN where it is not there."""
        return number(self.raw(*path, check=check))

    def raw(self, *path: str, check: int = -1) -> Any:
        """Whatever lies at `path` in a check's evidence; None where nothing does."""
        if not -len(self.checks) <= check < len(self.checks):
            return None
        found: Any = self.checks[check].get("evidence")
        for name in path:
            found = found.get(name) if isinstance(found, Mapping) else None
        return found

    def report(self, name: str) -> float:
        """A number of the last check's CtcReport; NaN where it is not there."""
        report = self.checks[-1].get("report") if self.checks else None
        return number(report.get(name)) if isinstance(report, Mapping) else math.nan

    def figure(self, name: str, check: int = -1) -> float:
        """A number of a check; NaN where it is not there."""
        return (
            number(self.checks[check].get(name))
            if -len(self.checks) <= check < len(self.checks)
            else math.nan
        )

    @property
    def losses(self) -> list[float]:
        """Loss on the dev part, check by check."""
        return [self.figure("dev_loss", at) for at in range(len(self.checks))]

    def recent(self, name: str, share: float = 0.5) -> float:
        """Median of a figure of the step records over the last `share` of them (three at least); NaN without any."""
        values = [
            number(record.get(name))
            for record in self.steps[-max(3, math.ceil(share * len(self.steps))) :]
        ]
        values = [value for value in values if value == value]
        return median(values) if values else math.nan

    @property
    def loss_since_check(self) -> float:
        """Mean training loss between the last two checks."""
        start, end = (self.figure("step", -2) if len(self.checks) > 1 else 0.0), self.figure("step")
        losses = [number(r.get("loss")) for r in self.steps if start < number(r.get("step")) <= end]
        return sum(losses) / len(losses) if losses else math.nan

    @property
    def cer(self) -> float:
        return self.figure("cer")

    @cached_property
    def release(self) -> int | None:
        """Step of the first of three checks in a row with CER at or below 80 %; None where that did not happen (yet)."""
        return self._step_of(
            first_release([self.figure("cer", at) for at in range(len(self.checks))])
        )

    @cached_property
    def leaving(self) -> int | None:
        """Step of the first of the last checks, too few for a release, that are at or below 80 % CER; None where there are none."""
        if self.release is not None:
            return None
        low = [self.figure("cer", at) <= RELEASED for at in range(len(self.checks))]
        return self._step_of(next((at for at in range(len(low)) if all(low[at:])), None))

    def _step_of(self, check: int | None) -> int | None:
        step = math.nan if check is None else self.figure("step", check)
        return int(step) if math.isfinite(step) else None

    @property
    def best_cer(self) -> float:
        """The lowest CER of all checks; infinite without any."""
        return min(
            (c for c in (self.figure("cer", at) for at in range(len(self.checks))) if c == c),
            default=math.inf,
        )

    def over_deaf(self, part: str = "dev", check: int = -1) -> float:
        """Loss over that of the best deaf model, which is 1 on the plateau and falls once the model listens."""
        return self.evidence(part, "nll", check=check) / self.evidence(part, "deaf", check=check)

    def listens(self, part: str = "dev", check: int = -1) -> float:
        """Share of the loss that the wrong audio adds: near 0 for a model that does not listen."""
        own, other = (
            self.evidence(part, "own", check=check),
            self.evidence(part, "other", check=check),
        )
        return (other - own) / max(other, 1e-9)
